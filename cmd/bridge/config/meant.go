package config

import (
	"slices"
	"strings"
)

// meant is what was probably meant by an unknown key: a key of the same group that
// is spelled alike, or one of the same name in another group.
func meant(group, unknown string, keys []key) string {
	if strings.Contains(unknown, "verify") || strings.HasPrefix(unknown, "insecure") {
		return "verification cannot be switched off: name the certificate in tls.ca_file"
	}
	here := siblings(group, keys)
	if near := nearest(unknown, here); near != "" {
		return "did you mean " + near + "?"
	}
	for _, k := range keys {
		parent, last := split(k.path)
		if last == unknown || k.secret && last+"_file" == unknown {
			return "did you mean " + join(parent, unknown) + "?"
		}
	}
	return "known here: " + strings.Join(here, ", ")
}

// siblings are the keys that a group may hold, in the order of the contract.
func siblings(group string, keys []key) []string {
	var out []string
	for _, k := range keys {
		path := k.path
		if group != "" {
			rest, inside := strings.CutPrefix(path, group+".")
			if !inside {
				continue
			}
			path = rest
		}
		name, deeper, _ := strings.Cut(path, ".")
		if !slices.Contains(out, name) {
			out = append(out, name)
			if k.secret && deeper == "" {
				out = append(out, name+"_file")
			}
		}
	}
	return out
}

// nearest is the word that takes the fewest slips to become the one written.
func nearest(written string, words []string) string {
	written = strings.ReplaceAll(strings.ToLower(written), "-", "_")
	best, least := "", 1+max(1, len(written)/3)
	for _, word := range words {
		slips := distance(written, word)
		// A key cut short, or one with a word too many, is meant too.
		if len(written) > 2 && (strings.HasPrefix(word, written+"_") || strings.HasPrefix(written, word+"_")) {
			slips = min(slips, 1)
		}
		if slips < least {
			best, least = word, slips
		}
	}
	return best
}

// distance counts the slips between two words: a letter lost, added, changed, or
// swapped with its neighbour.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			changed := 1
			if a[i-1] == b[j-1] {
				changed = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+changed)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}

func split(path string) (parent, last string) {
	i := strings.LastIndexByte(path, '.')
	return path[:max(i, 0)], path[i+1:]
}

func join(group, name string) string {
	if group == "" {
		return name
	}
	return group + "." + name
}
