// Package limits holds what may be posted: plans and their quotas, and the text
// and media limits of each platform, as tables with their sources, together
// with the pure checks on them.
//
// It keeps nothing, does no I/O and knows no clock. Start reading at [Plan] (the
// table), [Meter] (counting against a plan) and [PlatformLimits].
package limits
