package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"gopkg.in/yaml.v3"

	"bridge/mmd"
	"bridge/rest"
)

func newCreateTicket(a *app) *cobra.Command {
	var form, file string
	cmd := &cobra.Command{
		Use: "create-ticket -f FILE", Short: "Open a support ticket", Args: cobra.NoArgs,
		Long: "Opens a support ticket (Create ticket) from a JSON or YAML file, - for stdin, with the API's names: title,\n" +
			"description, type (Incident, ChangeRequest, RequestForInformation), category, subcategory, severity (1 to 4),\n" +
			"contact (givenName, surname, email, phoneNumber); and if wanted usersOrDevicesImpacted, businessImpact,\n" +
			"issueFirstNoticed, issueReproduced, endUserSupportEngaged, troubleshootingSteps, reproSteps.",
		Example: "  echo '{title: Slow, description: Since Monday., type: Incident, category: Devices, subcategory: Hardware,\n" +
			"    severity: 3, contact: {givenName: Ada, surname: Byron, email: ada@acme.example, phoneNumber: \"1\"}}' |\n" +
			"    bridge mmd create-ticket -f -",
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := a.byHand(cmd, args, form, nil)
			if err != nil {
				return err
			}
			var t mmd.NewTicket
			if err := a.readObject(file, &t); err != nil {
				return err
			}
			if err := needed(file, member{"title", t.Title}, member{"description", t.Description}, member{"type", t.Type}, member{"category", t.Category},
				member{"subcategory", t.Subcategory}, member{"severity", wholeNumber(t.Severity)}, member{"contact.givenName", t.Contact.GivenName},
				member{"contact.surname", t.Contact.Surname}, member{"contact.email", t.Contact.Email}, member{"contact.phoneNumber", t.Contact.PhoneNumber}); err != nil {
				return err
			}
			made, err := b.vendor.Tickets.Create(cmd.Context(), t)
			if err := a.wrote(b, err, "opened ticket "+made.ID, "bridge mmd tickets --orderby \"createdDateTime desc\" --top 5"); err != nil {
				return err
			}
			return a.showOne(form, ticketObject(made))
		},
	}
	formFlag(cmd, &form)
	fileFlag(cmd, &file)
	return cmd
}

// fileFlag adds -f to a command that cannot do without.
func fileFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVarP(file, "file", "f", "", "a JSON or YAML file; - is stdin")
	cmd.MarkFlagRequired("file") //nolint:errcheck,gosec // the flag is there
}

// wholeNumber is a number in a table; none is nothing.
func wholeNumber(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// gone says that the other side knows no such thing.
func (*bridge) gone(err error) bool { return rest.StatusOf(err) == http.StatusNotFound }

// needed names what is empty and must not be.
func needed(file string, members ...member) error {
	var empty []string
	for _, m := range members {
		if m.value == "" {
			empty = append(empty, m.name)
		}
	}
	if len(empty) == 0 {
		return nil
	}
	return misused("%s: %s must be given", called(file), strings.Join(empty, ", "))
}

// called is how a message calls an input.
func called(file string) string {
	if file == "-" || file == "" {
		return "the input"
	}
	return file
}

// readLimited reads an input that a person could have written.
func readLimited(from io.Reader, file string) ([]byte, error) {
	if from == nil {
		return nil, misused("there is no stdin")
	}
	raw, err := io.ReadAll(io.LimitReader(from, longest+1))
	switch {
	case err != nil:
		return nil, misused("read %s: %v", called(file), err)
	case len(raw) > longest:
		return nil, misused("%s is longer than %d bytes", called(file), longest)
	}
	return raw, nil
}

// readObject reads one object from a JSON or YAML file. A member that is not known
// is refused: a slip in a name would leave it out in silence.
func (a *app) readObject(file string, into any) error {
	raw, err := a.readFile(file)
	if err != nil {
		return err
	}
	if !json.Valid(raw) {
		if raw, err = fromYAML(raw); err != nil {
			return misused("%s: %v", called(file), err)
		}
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return misused("%s: %s", called(file), strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}

// fromYAML turns the one document of a YAML file into JSON.
func fromYAML(raw []byte) ([]byte, error) {
	d := yaml.NewDecoder(bytes.NewReader(raw))
	var v map[string]any
	if err := d.Decode(&v); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("it is empty")
		}
		return nil, err
	}
	if err := d.Decode(&yaml.Node{}); !errors.Is(err, io.EOF) {
		return nil, errors.New("one document is expected")
	}
	out, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("it cannot be read as JSON: %w", err)
	}
	return out, nil
}
