package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set by the linker.
var version = "dev"

// release is what version prints as JSON.
type release struct {
	Schema   string `json:"schema"`
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func newVersion(a *app) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use: "version", Short: "Which bridge this is", Args: cobra.NoArgs,
		Example: "  bridge version\n  bridge version -o json | jq -r .version",
		RunE: func(*cobra.Command, []string) error {
			r := thisRelease()
			switch output {
			case "json":
				return json.NewEncoder(a.stdout).Encode(r)
			case "text":
				a.say("bridge %s (%s, %s)\n", r.Version, r.Go, r.Platform)
				return nil
			}
			return &failure{code: exitUsage, err: fmt.Errorf("-o %s is not known: text or json", output)}
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

func thisRelease() release {
	r := release{Schema: "bridge.version/v1", Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				r.Commit = setting.Value
			}
		}
	}
	return r
}
