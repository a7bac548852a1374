package limits

import (
	"time"

	"github.com/postroom/postroom/post"
)

// A Rate is how many posts of one connection go out well in some time, as the
// platforms are quoted (CONTRACT §5.4). What is advised is kept where the config says
// so; what the platform takes, its own answers enforce. 0 is for what is not known.
type Rate struct {
	AdvisedHour int `json:"advised_hour,omitempty"` // what is recommended
	AdvisedDay  int `json:"advised_day,omitempty"`
	MostHour    int `json:"most_hour,omitempty"` // what the platform is said to take
	MostDay     int `json:"most_day,omitempty"`
}

var rates = map[post.Platform]Rate{
	"twitter":   {10, 50, 300, 2400},
	"linkedin":  {5, 20, 25, 100},
	"instagram": {3, 10, 10, 25},
	"threads":   {10, 50, 50, 250},
	"tiktok":    {2, 10, 10, 50},
	"youtube":   {2, 10, 10, 50},
	"facebook":  {5, 25, 25, 50},
	"bluesky":   {10, 100, 100, 1666},
	"mastodon":  {5, 50, 30, 300},
	"telegram":  {20, 300, 0, 0}, // 20 a second, without a bound for the day
}

// RateOf returns the rate of a platform; the zero Rate for one that has none.
func RateOf(p post.Platform) Rate { return rates[p] }

// Gap is the time between posts that spreads an hour's recommendation over the hour;
// 0 where there is none.
func (r Rate) Gap() time.Duration {
	if r.AdvisedHour == 0 {
		return 0
	}
	return time.Hour / time.Duration(r.AdvisedHour)
}

// LeftToday is what is left of the day's recommendation after sent posts in the
// last 24 hours; false when there is none.
func (r Rate) LeftToday(sent int) (int, bool) { return max(0, r.AdvisedDay-sent), r.AdvisedDay > 0 }
