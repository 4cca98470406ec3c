package simulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"bridge/simulator/mmd"
)

// manual is what GET /_sim/ answers, with the kinds of fault and the switches behind it.
const manual = `What people do, and what goes wrong. All bodies are JSON.

GET, POST, DELETE  /_sim/faults            scripted faults: list, add one, end all
PUT                /_sim/faults/random     {"chance": 0.1, "kinds": ["lost after"]}
GET                /_sim/log?after=N       requests, from the Nth on; kept since the first call
GET, PATCH         /_sim/switches          {"itsm": {…}, "mmd": {…}, "authority": {…}, "sessions": true}
POST               /_sim/itsm/insert       {"table", "fields"}
POST               /_sim/itsm/set          {"table", "number", "fields"}
POST               /_sim/itsm/comment      {"table", "number", "by", "text"}, work_note alike
POST               /_sim/itsm/decide       {"table", "number", "by", "state"}: by is a sys_id
POST               /_sim/itsm/delete       {"table", "number"}
POST               /_sim/itsm/revoke       {}
POST               /_sim/mmd/note          {"ticket", "by", "text"}
POST               /_sim/mmd/state         {"ticket", "state"}
POST               /_sim/mmd/close         {"elevation"}
POST               /_sim/mmd/device        {"name", "by", "upn"}
POST               /_sim/authority/approve {"code", "upn"}
POST               /_sim/authority/revoke  {}

"sys_id" stands for "number" where a record has none. A fault, in words or as JSON:

  the third POST tickets is lost after
  every 10th GET table/incident is 500 before
  each PATCH table/incident/* is slow for 2s
  {"side": "mmd", "method": "POST", "path": "tickets$", "kind": "lost after", "nth": 3, "times": 1}

side is itsm, mmd or authority, path a part of a path, or its end with a $; every, probability,
delay ("2s"), retry_after (seconds), status and body go with it. `

// administration is what a listening world offers under /_sim/: faults, switches, the
// log, and what people do on both sides. The manual is what it says of itself.
func (w *World) administration() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_sim/{$}", func(out http.ResponseWriter, _ *http.Request) {
		out.Header().Set("Content-Type", "text/plain; charset=utf-8")
		io.WriteString(out, manual+"Kinds: "+kinds()+".\n\nSwitches:\n\n  "+strings.Join(Switches(), "\n  ")+"\n") //nolint:errcheck,gosec // the client has gone
	})
	mux.HandleFunc("GET /_sim/switches", func(out http.ResponseWriter, _ *http.Request) { tell(out, w.switched()) })
	mux.HandleFunc("GET /_sim/faults", func(out http.ResponseWriter, _ *http.Request) { tell(out, w.Faults.Rules()) })
	mux.HandleFunc("DELETE /_sim/faults", func(out http.ResponseWriter, _ *http.Request) {
		w.Faults.Clear()
		tell(out, "cleared")
	})
	mux.HandleFunc("POST /_sim/faults", func(out http.ResponseWriter, r *http.Request) { w.script(out, r) })
	mux.HandleFunc("PUT /_sim/faults/random", func(out http.ResponseWriter, r *http.Request) {
		var in struct {
			Chance float64 `json:"chance"`
			Kinds  []Kind  `json:"kinds"`
		}
		if hear(out, r, &in) && known(out, in.Kinds...) {
			w.Faults.Random(in.Chance, in.Kinds...)
			tell(out, "drawn")
		}
	})
	mux.HandleFunc("GET /_sim/log", func(out http.ResponseWriter, r *http.Request) {
		w.Faults.Keep()
		all := w.Faults.Log()
		after, _ := strconv.Atoi(r.URL.Query().Get("after"))
		tell(out, all[min(max(after, 0), len(all)):])
	})
	mux.HandleFunc("PATCH /_sim/switches", func(out http.ResponseWriter, r *http.Request) { w.switches(out, r) })
	mux.HandleFunc("POST /_sim/{side}/{act}", func(out http.ResponseWriter, r *http.Request) {
		var in act
		if !hear(out, r, &in) {
			return
		}
		result, err := w.act(r.PathValue("side")+"/"+r.PathValue("act"), in)
		if err != nil {
			http.Error(out, err.Error(), http.StatusNotFound)
			return
		}
		tell(out, result)
	})
	return mux
}

// kinds names all kinds of fault.
func kinds() string {
	var names []string
	for _, kind := range Kinds() {
		names = append(names, string(kind))
	}
	return strings.Join(names, ", ")
}

// known refuses a kind of fault that there is not: it would do something else.
func known(out http.ResponseWriter, given ...Kind) bool {
	for _, kind := range given {
		if !slices.Contains(Kinds(), kind) {
			http.Error(out, "the kind "+strconv.Quote(string(kind))+" is not one of those that there are: "+kinds(), http.StatusBadRequest)
			return false
		}
	}
	return true
}

// script adds a fault whose kind there is: JSON, or a sentence.
func (w *World) script(out http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(http.MaxBytesReader(out, r.Body, 1<<20))
	if err != nil {
		http.Error(out, err.Error(), http.StatusBadRequest)
		return
	}
	var rule Rule
	if text := strings.TrimSpace(string(raw)); strings.HasPrefix(text, "{") {
		err = decode(raw, &rule)
	} else {
		rule, err = Scripted(text)
	}
	if err != nil {
		http.Error(out, err.Error(), http.StatusBadRequest)
		return
	}
	if !known(out, rule.Kind) {
		return
	}
	if !slices.Contains([]string{"", SideITSM, SideMMD, SideAuthority}, rule.Side) {
		http.Error(out, "the side "+strconv.Quote(rule.Side)+" is not one of those that there are: itsm, mmd, authority", http.StatusBadRequest)
		return
	}
	w.Faults.Add(rule)
	tell(out, "added")
}

// act is what a person does.
type act struct {
	Table     string            `json:"table"`
	SysID     string            `json:"sys_id"`
	Number    string            `json:"number"`
	Fields    map[string]string `json:"fields"`
	By        string            `json:"by"`
	Text      string            `json:"text"`
	State     string            `json:"state"`
	Ticket    string            `json:"ticket"`
	Elevation string            `json:"elevation"`
	Name      string            `json:"name"`
	UPN       string            `json:"upn"`
	Code      string            `json:"code"`
}

// act does it, and gives what there is to show for it.
func (w *World) act(what string, in act) (any, error) {
	side, name, _ := strings.Cut(what, "/")
	if err := w.there(what, &in); err != nil {
		return nil, err
	}
	switch what {
	case "itsm/insert":
		return map[string]string{"sys_id": w.ITSM.Insert(in.Table, in.Fields)}, nil
	case "itsm/set":
		w.ITSM.Set(in.Table, in.SysID, in.Fields)
	case "itsm/comment":
		w.ITSM.Comment(in.Table, in.SysID, in.By, in.Text)
	case "itsm/work_note":
		w.ITSM.WorkNote(in.Table, in.SysID, in.By, in.Text)
	case "itsm/decide":
		w.ITSM.Decide(in.Table, in.SysID, in.By, in.State)
	case "itsm/delete":
		w.ITSM.Delete(in.Table, in.SysID)
	case "itsm/revoke":
		w.ITSM.EndTokens()
	case "mmd/note":
		w.MMD.AddNote(in.Ticket, in.By, in.Text)
	case "mmd/state":
		w.MMD.SetState(in.Ticket, in.State)
	case "mmd/close":
		w.MMD.CloseElevation(in.Elevation)
	case "mmd/device":
		w.MMD.AssignDevice(in.Name, in.By, in.UPN)
	case "authority/approve":
		return map[string]bool{"approved": w.Authority.Approve(in.Code, in.UPN)}, nil
	case "authority/revoke":
		w.Authority.Revoke()
	default:
		return nil, fmt.Errorf("there is no %s that %s does: GET /_sim/ lists what there is", name, side)
	}
	return "done", nil
}

// there says when what somebody wants to do something with is not there, and finds
// the sys_id of a number.
func (w *World) there(what string, in *act) error {
	switch what {
	case "itsm/set", "itsm/comment", "itsm/work_note", "itsm/decide", "itsm/delete":
		if in.SysID == "" {
			for _, row := range w.ITSM.Rows(in.Table) {
				if row["number"] == in.Number && in.Number != "" {
					in.SysID = row["sys_id"]
				}
			}
		}
		if w.ITSM.Row(in.Table, in.SysID) == nil {
			return fmt.Errorf("there is no %s %s%s", in.Table, in.Number, in.SysID)
		}
	case "mmd/note", "mmd/state":
		if _, ok := w.MMD.Ticket(in.Ticket); !ok {
			return fmt.Errorf("there is no ticket %s", in.Ticket)
		}
	case "mmd/close":
		if !slices.ContainsFunc(w.MMD.Elevations(), func(e mmd.Elevation) bool { return e.ID == in.Elevation }) {
			return fmt.Errorf("there is no elevation request %s", in.Elevation)
		}
	}
	return nil
}

// hear reads a body. A name that is not known is refused: it would do nothing.
func hear(out http.ResponseWriter, r *http.Request, into any) bool {
	raw, err := io.ReadAll(http.MaxBytesReader(out, r.Body, 1<<20))
	if err == nil {
		err = decode(raw, into)
	}
	if err != nil {
		http.Error(out, err.Error(), http.StatusBadRequest)
	}
	return err == nil
}

func decode(raw []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(spans(raw)))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

func tell(out http.ResponseWriter, v any) {
	out.Header().Set("Content-Type", "application/json")
	json.NewEncoder(out).Encode(v) //nolint:errcheck,gosec,errchkjson // the client has gone
}
