package main_test

import (
	"bytes"
	"context"
	"net"
	"testing"
	"time"

	main "bridge/cmd/bridge"
	"bridge/simulator"
)

// serve starts the service, listening, until the test ends.
func (s *stage) serve() {
	s.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.Fatal(err)
	}
	s.env["BRIDGE_LISTEN"] = l.Addr().String()
	_ = l.Close()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan int, 1)
	go func() {
		var out bytes.Buffer
		ended <- main.Run(ctx, &out, &out, s.env, "run", "--config", s.config)
	}()
	s.Cleanup(func() {
		stop()
		<-ended
	})
}

func TestAServiceThatSendsALotIsWell(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "POST", Path: "tickets$", Kind: simulator.Slow, Delay: 400 * time.Millisecond, Times: -1})
	const many = 200 // the pass takes twice as long as a loop may stand still
	s.env["BRIDGE_LIMITS_CREATES"] = "0"
	for range many {
		s.world.Incident(s.users, "Laptop does not start", nil)
	}
	s.serve()
	sent := 0
	for deadline := time.Now().Add(40 * time.Second); time.Now().Before(deadline) && sent < many; time.Sleep(200 * time.Millisecond) {
		was := sent
		sent = len(s.world.MMD.Tickets())
		if code, _, errs := s.run("health"); code != 0 && sent > 0 && sent < many {
			t.Errorf("%d tickets were opened, %d just now, and it is not well: %s", sent, sent-was, errs)
			break
		}
	}
	if sent < many {
		t.Errorf("%d tickets were opened", sent)
	}
}

// TestAServiceThatHangsIsNotWell has a side take a call and never answer it.
func TestAServiceThatHangsIsNotWell(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.world.Faults.Add(simulator.Rule{Side: simulator.SideMMD, Method: "GET", Path: "tickets$", Kind: simulator.Slow, Delay: 25 * time.Second, Times: -1})
	s.serve()
	well := false
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		code, _, _ := s.run("health")
		if code != 0 && well {
			return
		}
		well = well || code == 0
	}
	t.Error("nothing moves, and it is well")
}
