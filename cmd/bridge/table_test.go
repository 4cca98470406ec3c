package main_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	main "bridge/cmd/bridge"
)

func TestTextsAreMeasuredInPlacesOfATerminal(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		"": 0, "plain": 5, "naïve": 5, "nai\u0308ve": 5, "日本": 4, "ｗｉｄｅ": 8, "한국": 4, "🛠 ok": 5, "a\u200db": 2, "…": 1, "«»": 2, "Ж": 1,
	} {
		if got := main.Span(text); got != want {
			t.Errorf("%q takes %d places, want %d", text, got, want)
		}
	}
}

func TestATextIsCutAndSaysSo(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text   string
		places int
		want   string
	}{
		{"enough", 6, "enough"},
		{"too long", 6, "too l…"},
		{"日本語", 6, "日本語"},
		{"日本語", 5, "日本…"},
		{"日本語", 4, "日…"},
		{"nai\u0308ve", 4, "nai\u0308…"},
	} {
		if diff := cmp.Diff(tt.want, main.Cut(tt.text, tt.places)); diff != "" {
			t.Errorf("%q to %d (-want +got):\n%s", tt.text, tt.places, diff)
		}
	}
}

func TestALongTextGoesOnInItsColumn(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text   string
		places int
		want   []string
	}{
		{"one\ntwo", 0, []string{"one", "two"}},
		{"the quick brown fox", 9, []string{"the quick", "brown fox"}},
		{"the quicker brown fox", 9, []string{"the", "quicker", "brown fox"}},
		{"abcdefghijkl", 5, []string{"abcde", "fghij", "kl"}},
		{"a\r\nb\x1b[0m", 20, []string{"a", "b\ufffd[0m"}},
		{"", 5, []string{""}},
	} {
		if diff := cmp.Diff(tt.want, main.Wrap(tt.text, tt.places)); diff != "" {
			t.Errorf("%q in %d (-want +got):\n%s", tt.text, tt.places, diff)
		}
	}
}

func TestTheWidestColumnGivesWay(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		places int
		want   string
	}{
		{"there is no end", 0, "A      B\nshort  a text that is much longer than the other one\n日本   x\n"},
		{"the longer one is cut", 30, "A      B\nshort  a text that is much lo…\n日本   x\n"},
		{"no less than is enough", 10, "A     B\nsho…  a t…\n日本  x\n"},
		{"no end is shorter than that", 3, "A     B\nsho…  a t…\n日本  x\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			main.Grid(&out, tt.places, []string{"A", "B"}, []string{"short", "a text that is much longer than the other one"}, []string{"日本", "x"})
			if diff := cmp.Diff(tt.want, out.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestTheWidthIsTheTerminals shows a list on a real terminal, narrow and wide.
func TestTheWidthIsTheTerminals(t *testing.T) {
	t.Parallel()
	s := desk(t)
	s.world.Incident(s.users, strings.Repeat("A long story. ", 12), nil)
	s.must(0, "run", "--once")
	for _, places := range []uint16{80, 400} {
		t.Run(fmt.Sprint(places), func(t *testing.T) {
			out := onTerminal(t, places, func(ctx context.Context, terminal io.Writer) {
				var errs bytes.Buffer
				if code := main.RunWith(ctx, nil, terminal, &errs, s.env, "mmd", "tickets", "--config", s.config); code != 0 {
					t.Errorf("ended with %d: %s", code, &errs)
				}
			})
			if strings.Count(out, "\n") != 3 || strings.Contains(out, "…") != (places == 80) {
				t.Errorf("it shows\n%s", out)
			}
			for line := range strings.Lines(out) {
				if n := main.Span(strings.TrimRight(line, "\r\n")); n > int(places) {
					t.Errorf("%d places: %s", n, line)
				}
			}
		})
	}
}

// onTerminal runs something on a terminal that is so wide, and gives what it shows.
func onTerminal(t *testing.T, places uint16, run func(context.Context, io.Writer)) string {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("left out: this machine has no terminals: %v", err)
	}
	defer screen.Close() //nolint:errcheck // the test is over
	number, err := unix.IoctlGetInt(int(screen.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Skipf("left out: this machine has no terminals: %v", err)
	}
	if err := unix.IoctlSetPointerInt(int(screen.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	terminal, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("left out: this machine has no terminals: %v", err)
	}
	if err := unix.IoctlSetWinsize(int(terminal.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: places, Row: 25}); err != nil {
		t.Fatal(err)
	}
	shown := make(chan string)
	go func() {
		out, _ := io.ReadAll(screen) // it ends with an error when nobody holds the terminal
		shown <- string(out)
	}()
	run(t.Context(), terminal)
	if err := terminal.Close(); err != nil {
		t.Fatal(err)
	}
	return <-shown
}

func FuzzText(f *testing.F) {
	for _, seed := range []string{"plain", "日本語 テキスト", "a\x1b[31mb", "\u202edesrever", "e\u0301\u0301", "one\r\ntwo\u2028three", "\xff\xfe", "🛠️🛠️🛠️", strings.Repeat("long ", 40)} {
		f.Add(seed, 12)
	}
	f.Fuzz(func(t *testing.T, text string, places int) {
		places = 4 + (places&0xff)%100
		line := main.OneLine(text)
		if strings.ContainsFunc(line, unicode.IsControl) || !utf8.ValidString(line) {
			t.Errorf("%q is shown as %q", text, line)
		}
		if n := main.Span(main.Cut(line, places)); n > places {
			t.Errorf("%q cut to %d takes %d", line, places, n)
		}
		for _, line := range main.Wrap(text, places) {
			if n := main.Span(line); n > places || strings.ContainsFunc(line, unicode.IsControl) {
				t.Errorf("%q in %d: %q takes %d", text, places, line, n)
			}
		}
	})
}
