package store

import (
	"testing"
	"testing/synctest"
	"time"
)

// Those who wrote together share the next commit too, when they are back in time.
func TestGatherWaitsForTheCrowdAndNoLonger(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name        string
		crowd, come int
		want        int
		after       time.Duration
	}{
		{"all are back", 4, 3, 4, 3 * time.Millisecond},
		{"one is not", 5, 3, 4, 5 * time.Millisecond},
		{"more than were there wait for the next", 3, 3, 3, 2 * time.Millisecond},
		{"nobody was there", 1, 3, 1, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &Store{writes: make(chan *write, mostTogether), closing: make(chan struct{})}
				for i := range tt.come {
					time.AfterFunc(time.Duration(i+1)*time.Millisecond, func() { s.writes <- &write{} })
				}
				start := time.Now()
				got := s.gather([]*write{{}}, tt.crowd, 5*time.Millisecond)
				if took := time.Since(start); len(got) != tt.want || took != tt.after {
					t.Errorf("gather(crowd %d) = %d writes after %v, want %d after %v", tt.crowd, len(got), took, tt.want, tt.after)
				}
				time.Sleep(time.Second) // lets the timers end
			})
		})
	}
}
