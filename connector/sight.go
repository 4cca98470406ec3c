package connector

import (
	"cmp"
	"context"

	"bridge/plan"
)

// sight tells whether a list is known to see: it must show something that is
// known to exist.
type sight struct {
	known map[string]bool
	// newest is the one that the ledger knows last.
	newest string
	seen   bool
}

func (s *sight) saw(id string) { s.seen = s.seen || s.known[id] }

// blind ends a look that found nothing. Where nothing was known to exist when it began,
// something may be by now.
func (p *pass) blind(ctx context.Context, kind plan.LinkKind, s *sight, why string) (plan.Look, error) {
	look := s.look(why)
	if look.Bare {
		now, err := p.sight(ctx, kind)
		if err != nil {
			return plan.Look{}, err
		}
		look.Bare = len(now.known) == 0
	}
	return look, nil
}

// enoughKnown is how many known objects, the newest, are enough to recognise a list by.
const enoughKnown = 1000

func (p *pass) sight(ctx context.Context, kind plan.LinkKind) (*sight, error) {
	return newestKnown(ctx, p.Ledger, kind)
}

func newestKnown(ctx context.Context, ledger Ledger, kind plan.LinkKind) (*sight, error) {
	s := &sight{known: map[string]bool{}}
	for link, err := range ledger.Links(ctx, plan.LinkQuery{Kind: kind, Newest: true, Brief: true, Limit: enoughKnown}) {
		if err != nil {
			return nil, err
		}
		s.known[link.MMD], s.newest = true, cmp.Or(s.newest, link.MMD)
	}
	return s, nil
}

// look says what a list proves that did not show what was looked for. Where the
// ledger knows of nothing at all, an empty list is all that an empty tenant can show.
func (s *sight) look(blind string) plan.Look {
	return plan.Look{Sees: s.seen, Bare: len(s.known) == 0, Blind: blind}
}
