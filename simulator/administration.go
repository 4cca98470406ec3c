package simulator

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"

	"bridge/simulator/authority"
	"bridge/simulator/itsm"
	"bridge/simulator/mmd"
)

// administration is what a listening world offers under /_sim/: faults, switches, the
// log, and what people do on both sides. All of it is JSON.
//
//	GET, POST, DELETE  /_sim/faults            scripted faults: list, add a Rule, end all
//	PUT                /_sim/faults/random     {"chance": 0.1, "kinds": ["lost after"]}
//	GET                /_sim/log?after=N       requests, from the Nth on; kept since the first call
//	PATCH              /_sim/switches          {"itsm": {…}, "mmd": {…}, "authority": {…}}
//	POST               /_sim/itsm/insert       {"table", "fields"}
//	POST               /_sim/itsm/set          {"table", "sys_id", "fields"}
//	POST               /_sim/itsm/comment      {"table", "sys_id", "by", "text"}, work_note alike
//	POST               /_sim/itsm/decide       {"table", "sys_id", "by", "state"}: by is a sys_id
//	POST               /_sim/mmd/note          {"ticket", "by", "text"}
//	POST               /_sim/mmd/state         {"ticket", "state"}
//	POST               /_sim/mmd/close         {"elevation"}
//	POST               /_sim/mmd/device        {"name", "by", "upn"}
//	POST               /_sim/authority/approve {"code", "upn"}
//	POST               /_sim/authority/revoke  {}
func (w *World) administration() http.Handler {
	mux := http.NewServeMux()
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
		if hear(out, r, &in) {
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
		result, ok := w.act(r.PathValue("side")+"/"+r.PathValue("act"), in)
		if !ok {
			http.Error(out, "no such thing to do", http.StatusNotFound)
			return
		}
		tell(out, result)
	})
	return mux
}

// script adds a fault whose kind there is.
func (w *World) script(out http.ResponseWriter, r *http.Request) {
	var rule Rule
	if !hear(out, r, &rule) {
		return
	}
	if !slices.Contains(Kinds(), rule.Kind) {
		http.Error(out, "the kind is not one of those that there are", http.StatusBadRequest)
		return
	}
	w.Faults.Add(rule)
	tell(out, "added")
}

func (w *World) switches(out http.ResponseWriter, r *http.Request) {
	var in struct {
		ITSM      json.RawMessage `json:"itsm"`
		MMD       json.RawMessage `json:"mmd"`
		Authority json.RawMessage `json:"authority"`
	}
	if !hear(out, r, &in) {
		return
	}
	var err error
	set := func(raw json.RawMessage, into any) {
		if raw != nil && err == nil {
			err = json.Unmarshal(raw, into)
		}
	}
	w.ITSM.Switch(func(s *itsm.Switches) { set(in.ITSM, s) })
	w.MMD.Switch(func(s *mmd.Switches) { set(in.MMD, s) })
	w.Authority.Switch(func(s *authority.Switches) { set(in.Authority, s) })
	if err != nil {
		http.Error(out, err.Error(), http.StatusBadRequest)
		return
	}
	tell(out, "switched")
}

// act is what a person does.
type act struct {
	Table     string            `json:"table"`
	SysID     string            `json:"sys_id"`
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
func (w *World) act(what string, in act) (any, bool) {
	switch what {
	case "itsm/insert":
		return map[string]string{"sys_id": w.ITSM.Insert(in.Table, in.Fields)}, true
	case "itsm/set":
		w.ITSM.Set(in.Table, in.SysID, in.Fields)
	case "itsm/comment":
		w.ITSM.Comment(in.Table, in.SysID, in.By, in.Text)
	case "itsm/work_note":
		w.ITSM.WorkNote(in.Table, in.SysID, in.By, in.Text)
	case "itsm/decide":
		w.ITSM.Decide(in.Table, in.SysID, in.By, in.State)
	case "mmd/note":
		w.MMD.AddNote(in.Ticket, in.By, in.Text)
	case "mmd/state":
		w.MMD.SetState(in.Ticket, in.State)
	case "mmd/close":
		w.MMD.CloseElevation(in.Elevation)
	case "mmd/device":
		w.MMD.AssignDevice(in.Name, in.By, in.UPN)
	case "authority/approve":
		return map[string]bool{"approved": w.Authority.Approve(in.Code, in.UPN)}, true
	case "authority/revoke":
		w.Authority.Revoke()
	default:
		return nil, false
	}
	return "done", true
}

func hear(out http.ResponseWriter, r *http.Request, into any) bool {
	d := json.NewDecoder(http.MaxBytesReader(out, r.Body, 1<<20))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		http.Error(out, err.Error(), http.StatusBadRequest)
		return false
	}
	return true
}

func tell(out http.ResponseWriter, v any) {
	out.Header().Set("Content-Type", "application/json")
	json.NewEncoder(out).Encode(v) //nolint:errcheck,gosec,errchkjson // the client has gone
}
