package main

import (
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"time"

	"bridge/cmd/bridge/config"
	"bridge/mapping"
)

// load reads bridge.yaml and the rules. What is wrong with either is told before
// anything is asked or sent.
func (a *app) load() (*config.Config, *mapping.Rules, error) {
	cfg, err := config.Load(a.configPath, a.env)
	if err != nil {
		return nil, nil, err
	}
	rules, problems, err := loadRules(cfg)
	if err != nil {
		return nil, nil, err
	}
	if err := problems.Err(); err != nil {
		return nil, nil, &failure{code: exitUsage, err: err}
	}
	return cfg, rules, nil
}

// loadRules reads the rules file that the config names.
func loadRules(cfg *config.Config) (*mapping.Rules, mapping.Problems, error) {
	src, err := cfg.Rules()
	if err != nil {
		return nil, nil, err
	}
	rules, problems := mapping.Load(cfg.Mappings, src, cfg.Vars)
	return rules, problems, nil
}

// holder names this process to another that finds the ledger taken.
func (a *app) holder() string {
	host, err := os.Hostname()
	if err != nil {
		host = "an unnamed machine"
	}
	return fmt.Sprintf("%s, process %d, since %s", host, os.Getpid(), a.now().UTC().Format(time.RFC3339))
}

// newRunID is a name that no two runs share.
func newRunID() string { return strings.ToLower(rand.Text()[:12]) }
