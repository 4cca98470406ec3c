package mmd

import (
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// object is what a list is made of.
type object interface{ field(name string) value }

// wanted is what the options of a list ask for.
type wanted struct {
	passes match
	order  []ordering
	skip   int
	top    int
	search string
	// about is the @odata.context of the answer.
	about string
}

type ordering struct {
	field string
	down  bool
}

// options reads $filter, $skip, $top, $orderby and searchText, in both spellings. What
// the document does not have for a list is refused, if it claims to be an option.
func options(q *request, names fields, allowed ...string) (wanted, error) {
	o := wanted{top: -1}
	for key, values := range q.URL.Query() {
		name, dollar := strings.CutPrefix(key, "$")
		if !slices.Contains(allowed, name) {
			if dollar {
				return o, fmt.Errorf("the query option '$%s' is not supported here", name)
			}
			continue
		}
		var err error
		switch value := values[0]; name {
		case "filter":
			o.passes, err = parseFilter(value, names)
		case "skip":
			o.skip, err = count(key, value)
		case "top":
			o.top, err = count(key, value)
		case "orderby":
			o.order, err = orderings(value, names)
		case "searchText":
			o.search = strings.ToLower(strings.TrimSpace(value))
		}
		if err != nil {
			return o, err
		}
	}
	return o, nil
}

func count(key, value string) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("the value '%s' of %s is not a number from 0", value, key)
	}
	return n, nil
}

func orderings(list string, names fields) ([]ordering, error) {
	var out []ordering
	for part := range strings.SplitSeq(list, ",") {
		words := strings.Fields(part)
		if len(words) == 0 || len(words) > 2 || len(words) == 2 && words[1] != "asc" && words[1] != "desc" {
			return nil, fmt.Errorf("'%s' is not a valid $orderby", part)
		}
		if names[words[0]] == nothing {
			return nil, fmt.Errorf("could not find a property named '%s'", words[0])
		}
		out = append(out, ordering{words[0], len(words) == 2 && words[1] == "desc"})
	}
	return out, nil
}

// finds looks for the search text in any of the words.
func (o wanted) finds(words ...string) bool {
	return o.search == "" || slices.ContainsFunc(words, func(w string) bool { return strings.Contains(strings.ToLower(w), o.search) })
}

// cap cuts $top down to what the server gives at once.
func (s *Server) cap(o wanted) wanted {
	if most := s.switches.MaxPage; most > 0 && (o.top < 0 || o.top > most) {
		o.top = most
	}
	return o
}

// page answers with a list. Where the objects come in the order that is asked for, it
// reads no further than the page does.
func page[T object](q *request, o wanted, all iter.Seq[T], wire func(T) any) {
	var kept []T
	skip, natural := o.skip, len(o.order) == 0
	for one := range all {
		if o.passes != nil && !o.passes(one) {
			continue
		}
		if natural && skip > 0 {
			skip--
			continue
		}
		if natural && o.top >= 0 && len(kept) >= o.top {
			break
		}
		kept = append(kept, one)
	}
	if !natural {
		slices.SortStableFunc(kept, func(a, b T) int {
			for _, by := range o.order {
				n := order(a.field(by.field), b.field(by.field))
				if by.down {
					n = -n
				}
				if n != 0 {
					return n
				}
			}
			return 0
		})
		kept = kept[min(o.skip, len(kept)):]
		if o.top >= 0 {
			kept = kept[:min(o.top, len(kept))]
		}
	}
	q.status = http.StatusOK
	fmt.Fprintf(&q.body, `{"@odata.context":%q,"value":[`, o.about)
	encoder := json.NewEncoder(&q.body)
	for i, one := range kept {
		if i > 0 {
			q.body.WriteByte(',')
		}
		encoder.Encode(wire(one)) //nolint:errcheck,gosec,errchkjson // texts and numbers in memory
	}
	q.body.WriteString("]}")
}
