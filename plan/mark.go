package plan

import (
	"crypto/sha256"
	"encoding/base32"
	"regexp"
	"strings"
)

// Pair names the two instances that this bridge stands between: the host of
// itsm.url and the tenant. Marks of other pairs are other bridges' business.
type Pair struct {
	Host   string
	Tenant string
}

// crockford is Crockford's base32 in lower case: no letter that reads as a digit.
const crockford = "0123456789abcdefghjkmnpqrstvwxyz"

// separator stands between the parts of a first line.
const separator = " · "

// Mark gives the short reference of one item: of a create its record, kind and
// generation; of a note its record, kind and source item. It is computed from
// identities, so it can be computed again when the ledger is lost. It is an
// identity, not a secret.
func (p Pair) Mark(record string, kind Kind, item, part string) string {
	return p.prefix() + digest(strings.ToLower(p.Host), p.Tenant, record, string(kind), item, part)[:10]
}

// prefix is what all marks of this pair begin with: version and pair.
func (p Pair) prefix() string {
	return "b1-" + digest(strings.ToLower(p.Host), p.Tenant)[:3] + "-"
}

// Owns says that a mark is one of this pair's.
func (p Pair) Owns(mark string) bool { return mark != "" && strings.HasPrefix(mark, p.prefix()) }

func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return base32.NewEncoding(crockford).WithPadding(base32.NoPadding).EncodeToString(sum[:])
}

// markAtEnd finds a mark as the last word of a line. Version 1 is recognised for ever.
var markAtEnd = regexp.MustCompile(`(?:^|[\s·])(b1-[0-9a-hjkmnp-tv-z]{3}-[0-9a-hjkmnp-tv-z]{10})$`)

// MarkOf gives the mark at the end of a text's first line, or nothing. A mark
// anywhere else is a quotation.
func MarkOf(text string) string {
	first, _, _ := strings.Cut(strings.TrimLeft(text, " \t\r\n"), "\n")
	first = strings.ToLower(strings.TrimRight(first, " \t\r"))
	m := markAtEnd.FindStringSubmatch(first)
	if m == nil {
		return ""
	}
	return m[1]
}
