package main

import (
	"slices"

	"github.com/postroom/postroom/limits"
	"github.com/postroom/postroom/post"
)

// plan reads the key of a plan, or a map of limits that says what differs from
// its base.
func (v value) plan() limits.Plan {
	p, _ := limits.PlanByKey("unlimited")
	if v.kind() != "a map" {
		scalar(&p, planKey)(v)
		return p
	}
	custom := "Custom"
	v.settings([]setting{
		{"base", scalar(&p, planKey)},
		{"name", scalar(&custom, plainText("a name for people"))},
		{"monthly", limit(&p.Monthly)},
		{"active", limit(&p.Active)},
		{"connections", limit(&p.Connections)},
		{"horizon_days", limit(&p.HorizonDays)},
		{"per_connection", scalar(&p.PerConnection, yesNo)},
		{"excluded", func(v value) { p.Excluded = v.platforms() }},
		{"api", scalar(&p.API, yesNo)},
		{"mcp", scalar(&p.MCP, yesNo)},
	})
	p.Key, p.Name = "custom", custom
	return p
}

var planKey = parser[limits.Plan]{
	want: "a plan: one of starter, pro, premium, unlimited, or a map of limits",
	parse: func(text string) (limits.Plan, string, bool) {
		p, ok := limits.PlanByKey(text)
		var keys []string
		for _, p := range limits.Plans() {
			keys = append(keys, p.Key)
		}
		return p, nearest(text, keys...), ok
	},
}

// limit reads a number, or none.
func limit(into **int) func(value) {
	number := count(0, 100_000_000)
	return scalar(into, unlessNone(parser[*int]{want: number.want, parse: func(text string) (*int, string, bool) {
		n, hint, ok := number.parse(text)
		return &n, hint, ok
	}}, nil))
}

// platforms reads a list of platforms by their keys.
func (v value) platforms() []post.Platform {
	var all []post.Platform
	v.list("platforms, like [twitter]", func(v value) {
		p := post.Platform("")
		scalar(&p, parser[post.Platform]{want: "a platform", parse: func(text string) (post.Platform, string, bool) {
			p, _ := post.PlatformByName(text)
			return p, suggest(text, platformNames()), slices.Contains(platformNames(), string(p))
		}})(v)
		if p != "" {
			all = append(all, p)
		}
	})
	return all
}
