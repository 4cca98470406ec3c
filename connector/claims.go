package connector

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"bridge/plan"
)

// feedClaims are the feeds that this worker reads. Workers share a ledger, and each
// feed is read by one of them for as long as its session lasts.
type feedClaims struct {
	held    map[string]<-chan struct{} // closed when the claim is lost
	release []func()
	// own is a name that nobody else claims: it is lost with the session, whatever is read.
	own string
}

// mine says that a feed is this worker's to read: it has it, or nobody has.
func (p *Poller) mine(ctx context.Context, name string) (bool, error) {
	if p.claims == nil {
		return true, nil // it only looks, as bridge plan does
	}
	if lost, claimed := p.claims.held[name]; claimed {
		select {
		case <-lost:
		default:
			return true, nil
		}
	}
	held, release, err := p.Ledger.Claim(ctx, "feed/"+name)
	if errors.Is(err, plan.ErrClaimed) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("claim feed %s: %w", name, err)
	}
	if name == ticketFeed {
		p.calm = calm{} // another worker may have read it before
	}
	p.claims.held[name] = held.Done()
	p.claims.release = append(p.claims.release, release)
	return true, nil
}

// cut says, once, that the session ended under which a feed was claimed: the server of
// the ledger went away, and may be another one now.
func (p *Poller) cut() (cut bool) {
	for name, lost := range p.claims.held {
		select {
		case <-lost:
			cut = true
			delete(p.claims.held, name)
		default:
		}
	}
	return cut
}

// share begins to claim the feeds that are read.
func (p *Poller) share() {
	if p.claims == nil {
		p.claims = &feedClaims{held: map[string]<-chan struct{}{}, own: "of worker " + rand.Text()}
	}
}

// leave gives all feeds back.
func (p *Poller) leave() {
	for _, release := range p.claims.release {
		release()
	}
	p.claims = nil
}
