package connector_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"bridge/plan"
	"bridge/simulator"
)

// atRest is what must be true in the end: no silent twin, nothing lost, nothing twice,
// in order.
func (p *play) atRest() {
	p.Helper()
	twins := 0
	numbers := map[string]bool{}
	for _, incident := range p.incidents() {
		numbers[p.numberOf(incident)] = true
		twins += p.oneTicket(incident)
	}
	for _, t := range p.world.MMD.Tickets() {
		number, _ := plan.Origin(t.Description)
		if !numbers[number] {
			p.Errorf("ticket %s was opened for %q, which is of no concern", t.ID, number)
		}
	}
	p.elevated()
	p.uniquely("work notes of the task", p.journal(p.task))
	c := p.counts()
	if c.Owed > 0 || c.Vanished > 0 || c.Held > 0 || c.Twins > 0 && twins == 0 {
		p.Errorf("at rest the ledger counts %+v", c)
	}
}

// oneTicket wants one ticket for an incident, with all that was said; it gives how
// many twins there are.
func (p *play) oneTicket(incident string) (twins int) {
	p.Helper()
	row := p.world.ITSM.Row("incident", incident)
	number := row["number"]
	link, ok := p.linked(incident)
	if !ok || link.MMD == "" {
		// Nobody wants one any more for what was closed before a person came.
		if row["active"] != "false" || !slices.Contains(p.doubted, link.ID) {
			p.Errorf("%s has no ticket", number)
		}
		return 0
	}
	if row["correlation_id"] != link.MMD && (!p.may.twice || !slices.Contains(link.Twins, row["correlation_id"])) {
		p.Errorf("%s names ticket %q, its link is with %q", number, row["correlation_id"], link.MMD)
	}
	ticket, _ := p.world.MMD.Ticket(link.MMD)
	var told []string
	for _, t := range p.world.MMD.Tickets() {
		if !strings.HasPrefix(t.Description, number+" · ") {
			continue
		}
		if t.ID != link.MMD {
			twins++
			if !slices.Contains(link.Twins, t.ID) {
				p.Errorf("ticket %s is a twin of %s, and nobody says so: %v", t.ID, link.MMD, link.Twins)
			}
		}
		for _, n := range p.world.MMD.Notes(t.ID) {
			if strings.HasPrefix(n.Sender, "app-") {
				told = append(told, n.Text)
			}
		}
	}
	// What was set before and executed late is told to the vendor as any other change.
	reopened := p.may.twice && slices.ContainsFunc(told, func(note string) bool { return strings.Contains(note, "State: In Progress, was Resolved") })
	strict := ticket.State == "resolved" && !reopened && (incident != p.first || !p.may.state)
	if state := row["state"]; strict && !slices.Contains([]string{"6", "7"}, state) {
		p.Errorf("%s is in state %q, its ticket is resolved", number, state)
	}
	if twins > 0 && !p.may.twice {
		p.Errorf("%s has %d tickets", number, twins+1)
	}
	p.uniquely("notes on the ticket of "+number, told)
	p.uniquely("work notes on "+number, p.journal(incident))
	p.heard("the ticket of "+number, told, p.comments[incident])
	p.heard(number, p.journal(incident), ofTwins(p.notes[incident], link))
	return twins
}

// ofTwins lets notes be missing that were written on a twin, which is shown and not mirrored.
func ofTwins(notes []*words, link plan.Link) []*words {
	for _, w := range notes {
		w.loose = w.loose || slices.Contains(link.Twins, w.ticket)
	}
	return notes
}

// uniquely wants each mark once: what is done twice is the bridge's own doing.
func (p *play) uniquely(where string, texts []string) {
	p.Helper()
	count := map[string]int{}
	for _, text := range texts {
		mark := plan.MarkOf(firstLine(text))
		if count[mark]++; mark != "" && count[mark] > 1 && !p.may.twice {
			p.Errorf("%s: %d times %q", where, count[mark], text)
		}
	}
}

func firstLine(text string) string {
	text, _, _ = strings.Cut(text, "\n")
	text, _, _ = strings.Cut(text, "<br>")
	return text
}

// heard wants all that people said to be on the other side, once and in order.
func (p *play) heard(where string, texts []string, said []*words) {
	p.Helper()
	last := -1
	for _, w := range said {
		at, times := -1, 0
		for i, text := range texts {
			if strings.HasSuffix(text, w.text) {
				times++
				if at < 0 {
					at = i
				}
			}
		}
		switch {
		case times == 0 && !w.loose && !p.may.unsaid:
			p.Errorf("%s lacks %q", where, w.text)
		case times > 1 && !p.may.twice && (!w.signed || !p.may.forgotten):
			p.Errorf("%s has %q %d times", where, w.text, times)
		case times > 0 && !w.edited && !w.loose && !p.may.twice:
			if at < last {
				p.Errorf("%s has %q out of order: %q", where, w.text, texts)
			}
			last = at
		}
	}
}

// elevated wants one elevation request at most, and none that is open.
func (p *play) elevated() {
	p.Helper()
	all := p.world.MMD.Elevations()
	if len(all) > 1 && !p.may.twice {
		p.Errorf("%d elevation requests", len(all))
	}
	for _, e := range all {
		if e.Open {
			p.Errorf("elevation request %s is open, its task is closed", e.ID)
		}
	}
}

// shown wants each thing that is missing to be shown where people look: an op that is
// owed, parked or in doubt, or a link that says why.
func (p *play) shown() {
	p.Helper()
	for _, incident := range p.incidents() {
		link, ok := p.linked(incident)
		owed := ""
		for op, err := range p.ledger.Ops(context.Background(), plan.OpQuery{Links: []string{link.ID}, Owed: true}) {
			if err != nil {
				p.Fatal(err)
			}
			owed += op.Key + string(op.Body)
		}
		if !ok || link.MMD == "" || strings.Contains(owed, string(plan.TicketCreate)) {
			continue
		}
		told := ""
		for _, n := range p.world.MMD.Notes(link.MMD) {
			told += n.Text
		}
		told += strings.Join(p.journal(incident), "\n")
		for _, w := range slices.Concat(p.comments[incident], ofTwins(p.notes[incident], link)) {
			if !w.loose && !p.may.unsaid && !strings.Contains(told, w.text) && !strings.Contains(owed, w.text) && link.Notice == "" {
				p.Errorf("%q is lost, and nobody says so", w.text)
			}
		}
	}
}

func (p *play) journal(record string) []string {
	var out []string
	for _, n := range p.world.ITSM.Journal(record, "work_notes") {
		if n.By == "bridge.mmd" {
			out = append(out, n.Text)
		}
	}
	return out
}

func (p *play) linked(record string) (plan.Link, bool) {
	for link, err := range p.ledger.Links(context.Background(), plan.LinkQuery{Records: []string{record}, Kind: plan.TicketLink}) {
		if err != nil {
			p.Fatal(err)
		}
		return link, true
	}
	return plan.Link{}, false
}

// narrate tells the schedule and what came of it, line by line.
func (p *play) narrate() string {
	lines := slices.Clone(p.lines)
	for _, r := range p.world.Faults.Log() {
		if r.Side == simulator.SideAuthority || r.Method == http.MethodGet && r.Fault == "" {
			continue
		}
		answer := fmt.Sprintf("answered %d", r.Status)
		if r.Status == 0 {
			answer = "no answer"
		}
		if r.Fault != "" {
			answer += " (" + string(r.Fault) + ")"
		}
		path := r.Path[strings.LastIndex(r.Path, "/v1/")+1:]
		lines = append(lines, line{r.At, fmt.Sprintf("    bridge: %-5s %s %s: %s", r.Method, strings.TrimPrefix(path, "v1/"), gist(r.Body), answer)})
	}
	slices.SortStableFunc(lines, func(a, b line) int { return a.at.Compare(b.at) })
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d, played alone by: BRIDGE_SEED=%d go test ./connector -run TestSimulation\n", p.seed, p.seed)
	for _, l := range lines {
		fmt.Fprintf(&b, "%s %s\n", l.at.UTC().Format(time.TimeOnly), l.text)
	}
	return b.String() + "what the ledger holds:\n" + p.story()
}

// gist is as much of a body as a reader needs.
func gist(body string) string {
	const most = 110
	body = strings.Join(strings.Fields(body), " ")
	if runes := []rune(body); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return body
}
