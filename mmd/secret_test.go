package mmd_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"bridge/mmd"
)

func TestAPasswordPrintsAsDotsWhateverItIsPrintedWith(t *testing.T) {
	t.Parallel()
	const canary = "canary-password"
	c, _ := client(t, http.StatusOK, `{"deviceName":"D","password":"`+canary+`"}`)
	d, err := c.Elevations.Details(t.Context(), "D")
	if err != nil || d.Password.Reveal() != canary || (mmd.Secret{}).Reveal() != "" {
		t.Fatalf("%v, %v", d, err)
	}
	var out bytes.Buffer
	say := func(text string) { out.WriteString(text + "\n") }
	values := []any{d.Password, &d.Password, d, &d, []mmd.Secret{d.Password}, map[string]any{"x": d}, struct{ in mmd.Secret }{d.Password}}
	for verb := ' '; verb <= '~'; verb++ {
		for _, flags := range []string{"", "#", "+", "-9", "09.3"} {
			for _, v := range values {
				say(fmt.Sprintf("%"+flags+string(verb), v))
			}
			if flags == "" && strings.ContainsRune("bcdeEfFgGoOqstUvxX", verb) {
				if got := fmt.Sprintf("%"+string(verb), d.Password); got != "•••" {
					t.Errorf("%%%c is %s", verb, got)
				}
			}
		}
	}
	for _, v := range values {
		say(fmt.Sprint(v) + fmt.Sprintln(v) + fmt.Sprintf("no verb"+strings.Repeat("%s", 0), v) + fmt.Errorf("%w %v", fmt.Errorf("%v", v), v).Error())
		for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			slog.New(handler).Info("said", slog.Any("value", v), slog.Group("in", slog.Any("value", v)))
		}
		if raw, err := json.Marshal(v); err == nil {
			say(string(raw))
		}
		if raw, err := xml.Marshal(v); err == nil {
			say(string(raw))
		}
	}
	if i := strings.Index(out.String(), canary); i >= 0 {
		t.Errorf("it shows: %.200q", out.String()[max(0, i-100):])
	}
}
