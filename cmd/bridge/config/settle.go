package config

import (
	"path/filepath"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// settle decides what a key is set to:
//
//	file   environment   a secret       any other key
//	-      -             its default    its default
//	set    -             the file's     the file's
//	-      set           the variable   the variable
//	set    set           an error       the variable
//
// Each of the two may name a file that holds the value (KEY_file for secrets,
// BRIDGE_KEY_FILE for all); both forms at once are an error.
func (r *reader) settle(k key) {
	v, set, fine := r.fromFile(k)
	outer, outerSet, outerFine := r.fromEnvironment(k)
	if !fine || !outerFine {
		r.found[k.path] = value{at: v.at} // told already
		return
	}
	if k.secret && set && outerSet {
		r.wrong(v.at, "%s is set twice: here and in %s", k.path, outer.at.source)
		r.found[k.path] = value{at: v.at}
		return
	}
	if outerSet {
		v, set = outer, true
	}
	switch {
	case !set && k.needed:
		parent, _ := split(k.path)
		r.wrong(r.nearestGroup(parent), "%s is missing", k.path)
		return
	case !set:
		return
	}
	r.found[k.path] = v
	if v.node == nil && v.text == "" && !k.empty {
		r.wrong(v.at, "%s is empty", k.path)
		return
	}
	if err := k.take(v); err != nil {
		r.wrong(v.at, "%s: %v", k.path, err)
	}
}

// fromFile is what bridge.yaml sets a key to; fine is false where that was told
// as a problem.
func (r *reader) fromFile(k key) (v value, set, fine bool) {
	v, set = r.written[k.path]
	if set && !k.deep && v.node != nil {
		return v, true, false
	}
	twin, twinSet := r.written[k.path+"_file"]
	if !k.secret || !twinSet {
		return v, set, true
	}
	_, last := split(k.path)
	if set {
		r.wrong(twin.at, "%s is set twice: as %s in line %d and as %s_file here", k.path, last, v.at.line, last)
		return twin, true, false
	}
	if twin.node != nil {
		return twin, true, false
	}
	if twin.text == "" {
		r.wrong(twin.at, "%s_file is empty", k.path)
		return twin, true, false
	}
	text, err := r.readValue(twin.text)
	if err != nil {
		r.wrong(twin.at, "%s_file: %s %v", k.path, twin.shown, err)
		return twin, true, false
	}
	return value{at: twin.at, text: text}, true, true
}

// fromEnvironment is what the environment sets a key to. A variable that is empty
// sets only what may be empty: compose files make them so.
func (r *reader) fromEnvironment(k key) (v value, set, fine bool) {
	name := twin(k.path)
	text, set := r.env(name)
	file, fileSet := r.env(name + "_FILE")
	set = set && (text != "" || k.empty)
	fileSet = fileSet && file != ""
	switch {
	case set && fileSet:
		r.wrong(place{source: name}, "%s is set twice: %s_FILE is set too", k.path, name)
		return value{at: place{source: name}}, true, false
	case fileSet:
		v.at.source = name + "_FILE"
		var err error
		if text, err = r.readValue(file); err != nil {
			r.wrong(v.at, "%s %v", file, err)
			return v, true, false
		}
	case set:
		v.at.source = name
		if !k.secret {
			v.shown = text
		}
	default:
		return v, false, true
	}
	v.text = text
	if k.deep {
		// A dollar in a variable is a dollar, as in every other one.
		var document yaml.Node
		if err := yaml.Unmarshal([]byte(strings.ReplaceAll(text, "$", "$$")), &document); err != nil || len(document.Content) == 0 {
			r.wrong(v.at, "%s: this is no YAML", k.path)
			return v, true, false
		}
		v.node = document.Content[0]
	}
	return v, true, true
}

// nearestGroup is where a missing key would stand.
func (r *reader) nearestGroup(path string) place {
	for path != "" {
		if at, ok := r.groups[path]; ok {
			return at
		}
		path, _ = split(path)
	}
	return place{line: 1, column: 1}
}

// auths are the ways to sign in to one side: what each needs, and may have.
type auths []authType

type authType struct {
	name       string
	needs, may []string
}

func deskAuths() auths {
	return auths{
		{name: "basic", needs: []string{"username", "password"}},
		{name: "oauth_password", needs: []string{"client_id", "client_secret", "username", "password"}},
		{name: "oauth_client_credentials", needs: []string{"client_id", "client_secret"}},
		{name: "api_key", needs: []string{"key"}},
	}
}

func vendorAuths() auths {
	always := []string{"authority", "scopes"}
	return auths{
		{name: "client_secret", needs: []string{"client_id", "client_secret"}, may: always},
		{name: "client_certificate", needs: []string{"client_id", "certificate_file"}, may: append(always, "certificate_password")},
		{name: "user", needs: []string{"client_id", "token_cache_file", "token_cache_key"}, may: always},
	}
}

// auth checks that a way to sign in has what it needs, and nothing that another
// would need: a key that nobody reads is a slip.
func (r *reader) auth(side, name string, known auths) {
	i := slices.IndexFunc(known, func(t authType) bool { return t.name == name })
	if i < 0 {
		return // told with auth.type
	}
	t, group := known[i], side+".auth"
	for _, need := range t.needs {
		if _, ok := r.found[group+"."+need]; !ok {
			r.wrong(r.nearestGroup(group), "%s of type %s needs %s", group, t.name, need)
		}
	}
	for path, v := range r.found {
		parent, last := split(path)
		if parent == group && last != "type" && !slices.Contains(t.needs, last) && !slices.Contains(t.may, last) {
			r.wrong(v.at, "%s does not belong to auth of type %s, which takes %s", path, t.name, strings.Join(slices.Concat(t.needs, t.may), ", "))
		}
	}
}

// resolve makes a path relative to bridge.yaml's folder.
func (r *reader) resolve(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(r.dir, path)
}
