package config

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
)

// hidden stands where a secret is.
const hidden = "•••"

// Secret is a text that no format verb, encoder or log shows. It lies behind a
// pointer, so that printing a struct around it shows an address at most.
type Secret struct{ text *string }

// NewSecret hides a text.
func NewSecret(text string) Secret { return Secret{text: &text} }

// Reveal gives the text itself: for the call that needs it, and for nothing else.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero says that nothing was set.
func (s Secret) IsZero() bool { return s.text == nil }

// String hides the text.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return hidden
}

// Format hides the text from every verb.
func (s Secret) Format(f fmt.State, _ rune) {
	f.Write([]byte(s.String())) //nolint:errcheck,gosec // fmt keeps the error
}

// MarshalText hides the text from JSON, YAML and the like.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue hides the text from logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// readValue reads the value that a _file twin names: one trailing newline is the
// editor's, not the secret's.
func (r *reader) readValue(path string) (string, error) {
	src, err := os.ReadFile(r.resolve(path))
	if err != nil {
		return "", fmt.Errorf("cannot be read: %w", cause(err))
	}
	text := strings.TrimSuffix(string(src), "\n")
	text = strings.TrimSuffix(text, "\r")
	if text == "" {
		return "", errors.New("is empty")
	}
	return text, nil
}
