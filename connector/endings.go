package connector

import (
	"context"

	"bridge/itsm"
	"bridge/plan"
)

// endings ends the links whose sides have been quiet for long enough. It looks at
// those whose ticket and notes were read just now, reads their records once more,
// and so costs nothing for a link whose notes are not due.
func (p *Poller) endings(ctx context.Context, links []string) error {
	if len(links) == 0 || p.Planner.EndAfter == 0 {
		return nil
	}
	stories, err := p.stories(ctx, plan.LinkQuery{IDs: links, Open: true})
	if err != nil {
		return err
	}
	quiet := map[string][]string{}
	for _, story := range stories {
		if p.Planner.Quiet(*story, p.Now()) {
			quiet[story.Link.Table] = append(quiet[story.Link.Table], story.Link.Record)
		}
	}
	promise := plan.Promise{At: p.Now()}
	for name, ids := range quiet {
		ask := itsm.Ask{Table: name, Fields: []string{"sys_id", "active", "sys_mod_count"}}
		for rec, err := range p.Desk.Records(ctx, ask, ids) {
			if err != nil {
				return &sideError{err: err}
			}
			promise.Add(p.Planner.End(*stories[rec.Value("sys_id")], plan.Record{Table: name, Row: row(rec), Seen: p.Now()}))
		}
	}
	if promise.Empty() {
		return nil
	}
	_, err = p.promise(ctx, promise)
	return err
}
