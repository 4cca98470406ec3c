package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"
)

const day = 24 * time.Hour

// Ways to end the path of a URL.
const (
	withSlash    = true
	withoutSlash = false
)

// noted takes a value that is read where it is found.
func noted(value) error { return nil }

func text(into *string) func(value) error {
	return func(v value) error {
		*into = v.text
		return nil
	}
}

func secret(into *Secret) func(value) error {
	return func(v value) error {
		*into = NewSecret(v.text)
		return nil
	}
}

func (r *reader) path(into *string) func(value) error {
	return func(v value) error {
		*into = r.resolve(v.text)
		return nil
	}
}

// readable takes the path of a file that must be there.
func (r *reader) readable(into *string) func(value) error {
	return func(v value) error {
		*into = r.resolve(v.text)
		if _, err := os.ReadFile(*into); err != nil {
			return fmt.Errorf("%s cannot be read: %w", v.shown, cause(err))
		}
		return nil
	}
}

// microsoft is the authority of those who name none.
func microsoft() *url.URL {
	return &url.URL{Scheme: "https", Host: "login.microsoftonline.com", Path: "/"}
}

// httpsURL takes a URL that is private on its way. The messages never repeat it:
// somebody may have put a password into it.
func httpsURL(into **url.URL, slash bool) func(value) error {
	return func(v value) error {
		u, err := url.Parse(v.text)
		switch {
		case err != nil:
			return errors.New("this is no URL")
		case u.Scheme == "http":
			return errors.New("https is needed, http is refused")
		case u.Scheme != "https" || u.Hostname() == "":
			return errors.New("a URL such as https://acme.service-now.com is needed")
		case u.User != nil:
			return errors.New("a URL here holds no name or password: they go under auth")
		case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
			return errors.New("a URL here ends with its path: no ? and no #")
		}
		u.Host = strings.ToLower(u.Host)
		u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), strings.TrimRight(u.RawPath, "/")
		if slash {
			u = u.JoinPath("/")
		}
		*into = u
		return nil
	}
}

func tenant(into *string) func(value) error {
	return func(v value) error {
		if !regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`).MatchString(v.text) {
			return errors.New("the tenant's id or domain is needed, such as 72f988bf-0000-0000-0000-2d7cd011db47")
		}
		*into = v.text
		return nil
	}
}

func choice(into *string, known auths) func(value) error {
	return func(v value) error {
		names := make([]string, 0, len(known))
		for _, t := range known {
			if t.name == v.text {
				*into = v.text
				return nil
			}
			names = append(names, t.name)
		}
		hint := "known are " + strings.Join(names, ", ")
		if near := nearest(v.text, names); near != "" {
			hint = "did you mean " + near + "?"
		}
		return fmt.Errorf("%sis not known: %s", quoted(v), hint)
	}
}

// storeURL takes one of the forms that a ledger is named by.
func storeURL(into *string) func(value) error {
	return func(v value) error {
		scheme, rest, _ := strings.Cut(v.text, ":")
		switch scheme {
		case "postgres", "postgresql":
			u, err := url.Parse(v.text)
			if err != nil || !strings.HasPrefix(rest, "//") || u.Host == "" && u.Query().Get("host") == "" {
				return errors.New("a URL such as postgres://bridge@db.example/bridge is needed")
			}
		case "sqlite":
			abs := strings.HasPrefix(rest, "///") && len(rest) > len("///")
			rel := rest != "" && !strings.HasPrefix(rest, "/")
			if !abs && !rel {
				return errors.New("write sqlite:///var/lib/bridge/bridge.db for a full path, sqlite:bridge.db for one beside bridge.yaml")
			}
		default:
			return errors.New("sqlite:///PATH, sqlite:PATH, postgres://… or postgresql://… is needed")
		}
		*into = v.text
		return nil
	}
}

// duration takes any positive time; Go's units, and d for 24 hours in front.
func duration(into *time.Duration) func(value) error {
	return func(v value) error {
		d, err := parseDuration(v.text)
		if err != nil {
			return fmt.Errorf("%sis no time: write a number and a unit, such as 30s, 15m, 1h or 7d", quoted(v))
		}
		if d <= 0 {
			return fmt.Errorf("%sis no positive time", quoted(v))
		}
		*into = d
		return nil
	}
}

func parseDuration(text string) (time.Duration, error) {
	days, rest, found := strings.Cut(text, "d")
	if !found {
		return time.ParseDuration(text)
	}
	n, err := strconv.ParseFloat(days, 64)
	if err != nil {
		return 0, err
	}
	if !(n >= 0 && n <= 100_000) { // NaN is in no range
		return 0, errors.New("not a time that anybody waits")
	}
	d := time.Duration(n * float64(day))
	if rest == "" {
		return d, nil
	}
	more, err := time.ParseDuration(rest)
	return d + more, err
}

// count takes a whole number that is at least least.
func count(into *int, least int) func(value) error {
	return func(v value) error {
		n, err := strconv.Atoi(v.text)
		if err != nil || n < least || n > 1_000_000_000 {
			return fmt.Errorf("%sis no whole number from %d on", quoted(v), least)
		}
		*into = n
		return nil
	}
}

// both takes one number for the calls in flight of either side.
func both(send *Send) func(value) error {
	return func(v value) error {
		if err := count(&send.ITSM, 1)(v); err != nil {
			return err
		}
		send.MMD = send.ITSM
		return nil
	}
}

// doubtful are the kinds of write that may be sent again without a person: one that
// opens an elevation grants rights, and never is.
func doubtful() []string {
	return []string{"ticket.create", "ticket.note", "record.note", "record.update", "elevation.close"}
}

// onDoubt takes what becomes of writes that were sent twice and found never.
func onDoubt(into *[]string, kinds ...string) func(value) error {
	return func(v value) error {
		if v.text != "hold" && v.text != "resend" {
			return fmt.Errorf("%sis neither hold nor resend", quoted(v))
		}
		for _, kind := range kinds {
			*into = slices.DeleteFunc(*into, func(k string) bool { return k == kind })
			if v.text == "resend" {
				*into = append(*into, kind)
			}
		}
		return nil
	}
}

func address(into *string) func(value) error {
	return func(v value) error {
		*into = v.text
		if v.text == "" {
			return nil
		}
		_, port, err := net.SplitHostPort(v.text)
		if err == nil {
			_, err = strconv.ParseUint(port, 10, 16)
		}
		if err != nil {
			return fmt.Errorf("%sis no address: write HOST:PORT, such as 127.0.0.1:8080, or \"\" for none", quoted(v))
		}
		return nil
	}
}

// list takes a list of texts, or one text with blanks between its words.
func (r *reader) list(into *[]string) func(value) error {
	return func(v value) error {
		items := []*yaml.Node{v.node}
		if v.node.Kind == yaml.SequenceNode {
			items = v.node.Content
		}
		var out []string
		for _, item := range items {
			item = aliased(item)
			if item.Kind != yaml.ScalarNode || isNull(item) {
				return errors.New("a list of texts is needed")
			}
			word, err := r.expand(item.Value)
			if err != nil {
				return err
			}
			out = append(out, strings.Fields(word)...)
		}
		if len(out) == 0 {
			return errors.New("the list is empty")
		}
		*into = out
		return nil
	}
}

func (r *reader) vars(into *map[string]any) func(value) error {
	return func(v value) error {
		if v.node.Kind != yaml.MappingNode {
			return errors.New("names with their values are needed")
		}
		seen := 0
		all, err := r.plain(v.node, &seen)
		if err != nil {
			return err
		}
		*into, _ = all.(map[string]any)
		return nil
	}
}

// quoted is what may be said of a value, and a blank.
func quoted(v value) string {
	if v.shown == "" {
		return ""
	}
	return strconv.Quote(v.shown) + " "
}
