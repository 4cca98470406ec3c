package simulator_test

import (
	"testing"

	"bridge/simulator"
)

// BenchmarkNew makes a populated world: what each simulated schedule begins with.
func BenchmarkNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		w := simulator.New(simulator.Config{})
		w.Incident(w.Populate(), "x", nil)
	}
}
