package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"bridge/cmd/bridge/config"
	"bridge/mapping"
)

func newCheck(a *app) *cobra.Command {
	var strict bool
	cmd := &cobra.Command{
		Use: "check", Short: "Prove bridge.yaml and mappings.yaml, asking neither side", Args: cobra.NoArgs,
		Long: "Reads bridge.yaml, what it names, and the rules, and says all that is wrong with them.\n" +
			"Neither side is asked. Ends with 0, or with 2 where something is wrong.",
		Example: "  bridge check\n  bridge check --config prod/bridge.yaml --strict",
		RunE: func(*cobra.Command, []string) error {
			cfg, err := config.Load(a.configPath, a.env)
			if err != nil {
				return err
			}
			rules, problems, err := loadRules(cfg)
			if err != nil {
				return err
			}
			a.say("%s", problems)
			wrong := problems.Err() != nil || strict && len(problems) > 0
			if wrong {
				a.say("\n%s. Nothing was sent; neither side was asked.\n", tally(problems))
				return &failure{code: exitUsage}
			}
			a.say("%s and %s are fine: %s; %s. Neither side was asked.\n",
				cfg.File, cfg.Mappings, ruleNames(rules), tally(problems))
			return nil
		},
	}
	cmd.Flags().BoolVar(&strict, "strict", false, "take warnings for errors")
	return cmd
}

// tally counts what was found.
func tally(problems mapping.Problems) string {
	wrong := 0
	for _, p := range problems {
		if !p.Warning {
			wrong++
		}
	}
	return plural(wrong, "error") + ", " + plural(len(problems)-wrong, "warning")
}

// ruleNames says which rules were read.
func ruleNames(rules *mapping.Rules) string {
	var names []string
	for _, rule := range rules.Tickets {
		names = append(names, rule.Name)
	}
	for _, rule := range rules.Elevations {
		names = append(names, rule.Name)
	}
	return plural(len(names), "rule") + " (" + strings.Join(names, ", ") + ")"
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
