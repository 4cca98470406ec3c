package connector_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"bridge/connector"
	"bridge/simulator"
)

// play is one seed: a story of two incidents and an elevation, and what happens in
// between. All of it is drawn from the seed, so that a seed plays the same alone.
type play struct {
	*rig
	seed int64
	dice *rand.Rand
	cast
	scenes []*scene
	// beat and turn say where the story is: which chapter, and which cycle in it.
	beat, turn int
	grave      *grave
	second     *worker
	frost      *frost
	// wide is that the desk drops a condition from each query.
	wide *atomic.Bool
	// serves: the bridge sends what falls due between two cycles, as a service does.
	serves bool
	// source is mappings.yaml as it was edited; empty: as it is.
	source string
	later  []*scene

	// stage lets one scene be played at a time, with dice of its own; pace are the story's.
	stage chan struct{}
	pace  *rand.Rand

	mu    sync.Mutex
	lines []line
	// inside are the scenes that wait for a request of this cycle.
	inside []*scene
	writes int
	// delays is by how much writes are executed late and shown late, together.
	delays time.Duration
	// withdrawn is since when nobody approves.
	withdrawn time.Time
	may       may
}

// cast is who the story is about, and what people said: what must be on the other side.
type cast struct {
	first, other string
	task, item   string
	// more are incidents that came later.
	more []string
	// hidden are records that the bridge is not shown.
	hidden map[string]bool
	// comments are what people wrote on the incidents, notes what the vendor wrote on
	// their tickets, in order.
	comments, notes map[string][]*words
	// doubted are the links whose ticket a person had to ask for.
	doubted []string
	// away is that the first incident is with another group.
	away bool
}

// words are one text that has to come through.
type words struct {
	text string
	// at is when a comment was written.
	at time.Time
	// loose: it may be missing (it was taken away, or its link was stopped).
	loose bool
	// ticket is where a note was written: a twin's notes are not mirrored.
	ticket string
	// edited: it has no place in the order.
	edited bool
	// signed: its identity changed; a ledger that lost the old one takes it for another.
	signed bool
}

// may is what a happening allows besides: each of it has to be shown.
type may struct {
	// twice: what is executed or shown later than the settle delay is done twice, and shown.
	twice bool
	// stopped: the notes of a direction are stopped, and the link says so.
	stopped bool
	// state: the state of the first incident is a person's.
	state bool
	// unsaid: a ledger was lost, and nobody noticed since the vendor's lists were empty: its tickets
	// are adopted one by one, and what was not passed on by then is not.
	unsaid bool
	// forgotten: a ledger was lost, and what the first look at a link showed was taken as it stands.
	forgotten bool
	// baseline: so was a state that moved meanwhile.
	baseline bool
	// none: no elevation request has to be there.
	none bool
}

// scene is one happening at one moment.
type scene struct {
	*happening
	beat, turn int
	// request is which write of the cycle it hits; 0: it happens before the cycle.
	request int
	dice    *rand.Rand
	played  bool
}

// line is one line of the story that a failure tells.
type line struct {
	at   time.Time
	text string
}

const (
	beats = 6
	turns = 6
)

// newPlay draws a schedule.
func newPlay(t *testing.T, seed int64) *play {
	t.Helper()
	p := &play{
		rig: newRigOn(t, simulator.New(simulator.Config{Seed: seed, Now: clockOf(seed)})), seed: seed, dice: rand.New(rand.NewPCG(uint64(seed), 23)),
		grave: &grave{seen: map[string]int{}}, wide: &atomic.Bool{},
		cast: cast{comments: map[string][]*words{}, notes: map[string][]*words{}},
	}
	p.stage, p.pace = make(chan struct{}, 1), rand.New(rand.NewPCG(uint64(seed), 29))
	p.serves = rand.New(rand.NewPCG(uint64(seed), 43)).IntN(3) == 0
	p.settle, p.page = 30*time.Second, 5
	p.scenes = schedule(p.dice, rand.New(rand.NewPCG(uint64(seed), 37)))
	p.way = func(next http.RoundTripper) http.RoundTripper { return mortalWay{p.grave, seed, p.wide, next} }
	p.wrap = func(l connector.Ledger) connector.Ledger { return mortalLedger{l, p.grave} }
	p.start()
	p.world.Faults.Keep()
	p.world.Faults.Watch(func(simulator.Request) {}, p.hit)
	return p
}

// clockOf is the clock of both sides: in a third of the seeds it is up to four minutes
// before or behind the bridge's.
func clockOf(seed int64) func() time.Time {
	ahead, dice := time.Duration(0), rand.New(rand.NewPCG(uint64(seed), 41))
	if dice.IntN(3) == 0 {
		ahead = time.Duration(dice.IntN(481)-240) * time.Second
	}
	return func() time.Time { return time.Now().Add(ahead) }
}

// schedule draws three to six happenings and their moments; others come with dice of
// their own, so that a seed that once failed goes on to play what it played.
func schedule(dice, others *rand.Rand) []*scene {
	table := happenings()
	var out []*scene
	for _, i := range dice.Perm(len(table))[:3+dice.IntN(4)] {
		// A newborn ledger that is shown empty lists takes itself for a new one, and sends again: no
		// bridge can tell, until its vendor shows something. Both together are left out.
		if table[i].name == "the ledger is lost" && named(out, "lists are empty") || table[i].name == "lists are empty" && named(out, "the ledger is lost") {
			continue
		}
		out = append(out, moment(&table[i], dice))
	}
	table = newcomers()
	if n := others.IntN(3 * len(table)); n < len(table) && !named(out, "the ledger is lost") && !named(out, "an older copy of the ledger is swapped in") {
		out = append(out, moment(&table[n], others))
	}
	slices.SortStableFunc(out, func(a, b *scene) int { return (a.beat-b.beat)*turns + a.turn - b.turn })
	return out
}

// moment draws when something happens.
func moment(h *happening, dice *rand.Rand) *scene {
	// More often early: that is when things are created.
	s := &scene{happening: h, beat: min(dice.IntN(beats), dice.IntN(beats)), turn: dice.IntN(turns), dice: rand.New(rand.NewPCG(dice.Uint64(), 31))}
	if s.beat < s.from {
		s.beat = s.from + dice.IntN(beats-s.from)
	}
	if s.live && dice.IntN(2) == 0 {
		s.request = 1 + dice.IntN(4)
	}
	return s
}

// named says that a happening is in a schedule.
func named(scenes []*scene, name string) bool {
	return slices.ContainsFunc(scenes, func(s *scene) bool { return s.name == name })
}

// say writes a line of the story.
func (p *play) say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lines = append(p.lines, line{time.Now(), fmt.Sprintf(format, args...)})
}

// hit plays what is to happen within a cycle, after a write was executed.
func (p *play) hit(r simulator.Request) {
	if r.Method == http.MethodGet || r.Side == simulator.SideAuthority {
		return
	}
	p.mu.Lock()
	p.writes++
	var now []*scene
	p.inside = slices.DeleteFunc(p.inside, func(s *scene) bool {
		if s.request > p.writes {
			return false
		}
		now = append(now, s)
		return true
	})
	p.mu.Unlock()
	for _, s := range now {
		p.enter(s)
	}
	p.watch(r)
}

// watch looks at what was executed just now: nothing is opened that nobody approves.
func (p *play) watch(r simulator.Request) {
	if r.Method != http.MethodPost || !strings.HasSuffix(r.Path, "/elevationRequests") || r.Fault == simulator.Late {
		return
	}
	p.mu.Lock()
	since := p.withdrawn
	p.mu.Unlock()
	if late := time.Since(since); !since.IsZero() && late > time.Minute {
		p.Errorf("an elevation was asked for %s after its approval was withdrawn", late)
	}
}

func (p *play) enter(s *scene) {
	p.stage <- struct{}{} // no lock: a scene may take its time
	defer func() { <-p.stage }()
	s.played = true
	p.say("* %s", s.name)
	if s.dice != nil {
		p.dice = s.dice
	}
	s.do(p)
}

// cycle is one cycle of all workers, with what happens before and within it.
func (p *play) cycle() {
	p.Helper()
	p.mu.Lock()
	p.writes, p.inside = 0, nil
	p.mu.Unlock()
	for _, s := range slices.Concat(p.scenes, p.later) {
		if s.played || s.beat*turns+s.turn > p.beat*turns+p.turn {
			continue
		}
		if s.request > 0 {
			p.inside = append(p.inside, s)
		} else {
			p.enter(s)
		}
	}
	p.both()
	p.mu.Lock()
	missed := p.inside
	p.inside = nil
	p.mu.Unlock()
	for _, s := range missed {
		p.enter(s)
	}
	p.turn++
}

// both runs one cycle, of two workers at once if there are two. While one is frozen
// the other goes on.
func (p *play) both() {
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.once(p.loop, true)
		if p.serves {
			p.idle()
		}
	}()
	for ended := false; !ended; {
		if p.second != nil {
			p.once(p.second.loop, false)
		}
		select {
		case <-done:
			ended = true
		case <-time.After(20 * time.Second):
			ended = p.second == nil
			if ended {
				<-done
			}
		}
	}
	p.rise()
}

// idle is the time until the next cycle, in which a service sends what falls due.
func (p *play) idle() {
	// On the dot, so that a retry's jitter does not move what follows.
	next := time.Now().Add(time.Duration(10+p.pace.IntN(60)) * time.Second).Truncate(5 * time.Second)
	if p.serves && !p.grave.buried() {
		p.loop.Rest(context.Background(), next)
	}
	time.Sleep(time.Until(next))
}

// once is one cycle of a worker. The first one's log is read by the person who relinks.
func (p *play) once(loop *connector.Connector, first bool) {
	_, err := loop.Cycle(context.Background())
	switch {
	case !first && (errors.Is(err, connector.ErrLost) || errors.Is(err, connector.ErrUnfinished)):
	case errors.Is(err, connector.ErrLost):
		p.relink()
	case err != nil && !errors.Is(err, errDead):
		p.Errorf("cycle: %v", err)
	}
}

// rise starts the bridge again after a crash.
func (p *play) rise() {
	p.grave.mu.Lock()
	dead := p.grave.dead
	if dead {
		p.grave.dead, p.grave.point = false, ""
	}
	p.grave.mu.Unlock()
	if !dead {
		return
	}
	p.say("  the bridge died there, and is started again")
	p.start()
}

// die makes the bridge die at the so-many-th time of a point from now on.
func (p *play) die(kind, when string, nth int) {
	p.grave.mu.Lock()
	defer p.grave.mu.Unlock()
	p.grave.point = fmt.Sprintf("%s %d %s", kind, p.grave.seen[kind+when]+nth, when)
}

// relink rebuilds a ledger that was lost, as a person does who was told to.
func (p *play) relink() {
	var err error
	for range 20 {
		var found connector.Relinked
		found, err = p.loop.Poller.Relink(context.Background())
		if err == nil {
			p.may.unsaid = p.may.unsaid && found.Tickets == 0
			p.say("  relinked %d tickets and %d elevation requests", found.Tickets, found.Elevations)
			p.start()
			return
		}
		time.Sleep(time.Minute)
		p.rise()
		p.start()
	}
	p.Fatalf("the ledger was not relinked in twenty tries: %v", err)
}

// after plays something some cycles later.
func (p *play) after(cycles int, name string, do func(*play)) {
	at := p.beat*turns + p.turn + cycles
	p.later = append(p.later, &scene{happening: &happening{name: name, do: do}, beat: at / turns, turn: at % turns})
}

// storm draws faults for each request, of both sides.
func (p *play) faults() {
	p.world.Faults.Random(0.04, simulator.RefusedBefore, simulator.ResetBefore, simulator.ResetAfter, simulator.LostAfter, simulator.Error500,
		simulator.Error500After, simulator.Error503, simulator.Error503After, simulator.TooMany, simulator.Slow, simulator.Truncated, simulator.Malformed,
		simulator.Partial, simulator.HTML, simulator.HTMLAfter, simulator.WrongType, simulator.Redirect, simulator.Accepted, simulator.EmptyList)
}

// tell plays the seed to its end.
func (p *play) tell() {
	p.Helper()
	p.faults()
	p.first, p.other = p.world.Incident(p.users, "Laptop does not start", nil), p.world.Incident(p.users, "No sound", nil)
	p.task, p.item = p.world.Task(p.users, p.first)
	for p.beat = range beats {
		p.turn = 0
		p.act(p.beat)
		for range turns {
			p.cycle()
			if !p.serves {
				p.idle()
			}
		}
	}
	p.world.Faults.Clear()
	for _, s := range p.later { // what was to end still does
		if !s.played {
			p.enter(s)
		}
	}
	p.calm()
}

// act is what people do in a chapter, whatever else happens.
func (p *play) act(beat int) {
	for _, incident := range []string{p.first, p.other} {
		if beat < 4 {
			p.comment(incident)
			p.note(incident)
		}
	}
	switch beat {
	case 1:
		p.say("the elevation is approved")
		p.world.ITSM.Decide("sc_req_item", p.item, p.users.Bea, "approved")
	case 2:
		p.say("the second incident is set on hold")
		p.world.ITSM.Set("incident", p.other, map[string]string{"state": "3"})
	case 3:
		p.say("the task of the elevation is closed")
		p.world.ITSM.Set("sc_task", p.task, map[string]string{"state": "3", "close_notes": "Done."})
	case 4:
		for _, incident := range []string{p.first, p.other} {
			p.resolve(incident, "resolved")
		}
	}
}

// incidents are all that want a ticket.
func (p *play) incidents() []string { return slices.Concat([]string{p.first, p.other}, p.more) }

// comment is one more comment on an incident.
func (p *play) comment(incident string) {
	// What is written before the bridge has seen that the record is back counts as written while it was away.
	link, ok := p.linked(incident)
	away := incident == p.first && (p.away || ok && !link.Left.IsZero())
	w := &words{text: fmt.Sprintf("Comment %d on %s.", len(p.comments[incident])+1, p.numberOf(incident)), at: time.Now(), loose: away}
	p.comments[incident] = append(p.comments[incident], w)
	p.say("ada writes %q", w.text)
	p.world.ITSM.Comment("incident", incident, "ada.byron", w.text)
	time.Sleep(time.Second) // ties of one second have no order
}

// note is one more note on an incident's ticket, if it has one by now.
func (p *play) note(incident string) {
	ticket := p.ticketBy(incident)
	if ticket == "" {
		return
	}
	// A ticket that no record names yet may turn out to be the twin, which is shown and not mirrored.
	twin := p.may.twice && p.world.ITSM.Row("incident", incident)["correlation_id"] == ""
	w := &words{text: fmt.Sprintf("Note %d for %s.", len(p.notes[incident])+1, p.numberOf(incident)), loose: twin, ticket: ticket}
	p.notes[incident] = append(p.notes[incident], w)
	p.say("vera writes %q", w.text)
	p.world.MMD.AddNote(ticket, "vera@vendor.example", w.text)
	time.Sleep(time.Second)
}

// resolve sets the state of an incident's ticket.
func (p *play) resolve(incident, state string) {
	if ticket := p.ticketBy(incident); ticket != "" {
		p.say("the ticket of %s is %s", p.numberOf(incident), state)
		p.world.MMD.SetState(ticket, state)
	}
}

func (p *play) numberOf(incident string) string {
	return p.world.ITSM.Row("incident", incident)["number"]
}

// ticketBy gives the id of the ticket that people see for an incident: the one that
// the incident names, else the oldest; or none.
func (p *play) ticketBy(incident string) string {
	row := p.world.ITSM.Row("incident", incident)
	if row["correlation_id"] != "" {
		return row["correlation_id"]
	}
	for _, t := range p.world.MMD.Tickets() {
		if first, _, _ := strings.Cut(t.Description, " · "); first == row["number"] {
			return t.ID
		}
	}
	return ""
}
