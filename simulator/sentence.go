package simulator

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// sentence is a fault in words.
var sentence = regexp.MustCompile(`^(the|every|each)(?: (\w+))?? (GET|POST|PATCH|PUT|DELETE|HEAD|request)(?: (\S+))? is (.+?)(?: for (\S+))?$`)

// ordinals are the numbers that are words.
func ordinals() []string {
	return []string{"", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"}
}

// Scripted reads a fault in words.
//
//	the third POST tickets is lost after      the third one, once
//	every 10th GET table/incident is 500 before
//	each PATCH table/incident/* is slow for 2s
//	the first request is 429 for 10m          and says so in Retry-After
//
// A path is the end of one, or with a * at its end a part.
func Scripted(text string) (Rule, error) {
	words := sentence.FindStringSubmatch(strings.Join(strings.Fields(text), " "))
	if words == nil {
		return Rule{}, fmt.Errorf("%q is no fault in words, such as: the third POST tickets is lost after", text)
	}
	r := Rule{Method: words[3], Kind: Kind(words[5]), Times: 1}
	if r.Method == "request" {
		r.Method = ""
	}
	n, err := ordinal(words[2])
	if err != nil {
		return Rule{}, fmt.Errorf("%q: %w", text, err)
	}
	switch {
	case words[1] == "the" && n > 0:
		r.Nth = n
	case words[1] == "every" && n > 0:
		r.Nth, r.Every, r.Times = n, n, -1
	case words[1] == "each" && n == 0:
		r.Times = -1
	default:
		return Rule{}, fmt.Errorf("%q: which ones? the third, every third, or each", text)
	}
	if part, is := strings.CutSuffix(words[4], "*"); is {
		r.Path = part
	} else if words[4] != "" {
		r.Path = "/" + strings.TrimPrefix(words[4], "/") + "$"
	}
	if !slices.Contains(Kinds(), r.Kind) {
		return Rule{}, fmt.Errorf("%q: the kind %q is not one of those that there are: %s", text, words[5], kinds())
	}
	if words[6] == "" {
		return r, nil
	}
	span, err := time.ParseDuration(words[6])
	if err != nil || span < 0 {
		return Rule{}, fmt.Errorf("%q: %q is no time, such as 2s", text, words[6])
	}
	if r.Kind == Slow || r.Kind == Late {
		r.Delay = span
	} else {
		r.RetryAfter = int(span / time.Second)
	}
	return r, nil
}

// ordinal reads third, 3rd; nothing is 0.
func ordinal(word string) (int, error) {
	if n := slices.Index(ordinals(), word); n >= 0 {
		return n, nil
	}
	n, err := strconv.Atoi(strings.TrimRight(word, "stndrh"))
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%q is no number in order, such as third or 11th", word)
	}
	return n, nil
}
