package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/postroom/postroom/dispatch"
	"github.com/postroom/postroom/post"
	"github.com/postroom/postroom/store"
)

// metrics are what /metrics shows. No label holds a token, a text or a file name.
type metrics struct {
	registry *prometheus.Registry
	attempts *prometheus.CounterVec
	late     *prometheus.HistogramVec
	tick     prometheus.Histogram
	lastTick prometheus.Gauge
	heldLate prometheus.Counter
	jumps    prometheus.Counter
	files    *prometheus.CounterVec
	rows     *prometheus.CounterVec
	taking   prometheus.Histogram
}

func newMetrics(s *store.Store, log *slog.Logger) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "postroom_attempts_total", Help: "Calls to platforms, by how they ended."}, []string{"platform", "outcome"}),
		late:     prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "postroom_lateness_seconds", Help: "How long after its due time a post was sent.", Buckets: []float64{1, 5, 10, 30, 60, 120, 300, 900, 3600, 7200}}, []string{"platform"}),
		tick:     prometheus.NewHistogram(prometheus.HistogramOpts{Name: "postroom_tick_seconds", Help: "How long a tick took.", Buckets: []float64{.0001, .001, .01, .1, 1, 10, 60, 300}}),
		lastTick: prometheus.NewGauge(prometheus.GaugeOpts{Name: "postroom_last_tick_timestamp_seconds", Help: "When the last tick ended."}),
		heldLate: prometheus.NewCounter(prometheus.CounterOpts{Name: "postroom_held_late_total", Help: "Posts held because they were found past the lateness grace."}),
		jumps:    prometheus.NewCounter(prometheus.CounterOpts{Name: "postroom_clock_jumps_total", Help: "Times the wall clock jumped."}),
		files:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "postroom_files_total", Help: "Files that were read, by what became of them."}, []string{"outcome"}),
		rows:     prometheus.NewCounterVec(prometheus.CounterOpts{Name: "postroom_rows_total", Help: "Rows that were read, by what became of them."}, []string{"decision"}),
		taking:   prometheus.NewHistogram(prometheus.HistogramOpts{Name: "postroom_import_seconds", Help: "How long a file took from bytes to stored posts.", Buckets: []float64{.01, .1, 1, 10, 60, 300}}),
	}
	m.registry.MustRegister(m.attempts, m.late, m.tick, m.lastTick, m.heldLate, m.jumps, m.files, m.rows, m.taking,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), &totals{s, log})
	return m
}

// observer tells the metrics what the dispatcher does. beat is called after each
// good tick.
func (m *metrics) observer(beat func(context.Context)) dispatch.Observer {
	return dispatch.Observer{
		Attempt: func(a dispatch.Attempt) {
			platform := string(a.Connection.Platform())
			m.attempts.WithLabelValues(platform, string(a.Outcome)).Inc()
			if a.Outcome == dispatch.Published {
				m.late.WithLabelValues(platform).Observe(a.Late.Seconds())
			}
		},
		Tick: func(length time.Duration) {
			m.tick.Observe(length.Seconds())
			m.lastTick.SetToCurrentTime()
		},
		HeldLate: func(n int) { m.heldLate.Add(float64(n)) },
		Jump:     func(time.Duration) { m.jumps.Inc() },
		Beat:     beat,
	}
}

// took counts one file.
func (m *metrics) took(outcome string, c post.Counts, length time.Duration) {
	m.files.WithLabelValues(outcome).Inc()
	m.rows.WithLabelValues("accepted").Add(float64(c.Accepted))
	m.rows.WithLabelValues("held").Add(float64(c.Held))
	m.rows.WithLabelValues("rejected").Add(float64(c.Rejected))
	m.rows.WithLabelValues("unchanged").Add(float64(c.Unchanged))
	m.taking.Observe(length.Seconds())
}

// totals reads the numbers of posts when they are asked for.
type totals struct {
	store *store.Store
	log   *slog.Logger
}

var (
	postsDesc = prometheus.NewDesc("postroom_posts", "Platform posts in the store, by status.", []string{"status"}, nil)
	openDesc  = prometheus.NewDesc("postroom_connection_open", "Posts that wait on a connection.", []string{"account", "connection"}, nil)
	pauseDesc = prometheus.NewDesc("postroom_connection_paused", "1 while a connection is paused.", []string{"account", "connection"}, nil)
)

// Describe implements prometheus.Collector.
func (t *totals) Describe(ch chan<- *prometheus.Desc) {
	ch <- postsDesc
	ch <- openDesc
	ch <- pauseDesc
}

// Collect implements prometheus.Collector.
func (t *totals) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	byStatus, err := t.store.Totals(ctx)
	if err != nil {
		t.log.Error("metrics not read", "err", err)
		return
	}
	for s, n := range byStatus {
		ch <- prometheus.MustNewConstMetric(postsDesc, prometheus.GaugeValue, float64(n), s.String())
	}
	conns, err := t.store.Connections(ctx)
	if err != nil {
		t.log.Error("metrics not read", "err", err)
		return
	}
	for _, c := range conns {
		ch <- prometheus.MustNewConstMetric(openDesc, prometheus.GaugeValue, float64(c.Open), string(c.Account), string(c.Connection))
		paused := 0.0
		if c.PauseWhy != "" {
			paused = 1
		}
		ch <- prometheus.MustNewConstMetric(pauseDesc, prometheus.GaugeValue, paused, string(c.Account), string(c.Connection))
	}
}
