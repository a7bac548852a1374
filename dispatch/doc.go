// Package dispatch sends what is due: at every minute of the wall clock it
// leases the connections that have something due, drains each in (due, id)
// order with a few workers, and records every outcome.
//
// For each post the intent to send is durable before the platform is called,
// and the outcome after it, both fenced by the lease. What happened in between
// and was lost, by a crash or a missing answer, is in doubt: it is looked up,
// and sent again only on the platform's word that it is not live (P2). Nothing
// held in memory decides what is sent; it only delays.
//
// It knows no platform and no store: see [Publisher] and [Queue]. Start reading
// at [Dispatcher]; crew.go hands leases to workers, session.go works on one of
// them, judge.go says what follows from a failure. docs/states.md tells the
// same to operators.
package dispatch
