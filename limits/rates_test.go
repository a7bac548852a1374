package limits

import "testing"

// CONTRACT §5.4: what is recommended is never more than what is taken.
func TestRatesAreOfKnownPlatformsAndInOrder(t *testing.T) {
	t.Parallel()
	for p, r := range rates {
		if _, known := PlatformByKey(p); !known {
			t.Errorf("%s is no platform", p)
		}
		if r.AdvisedHour == 0 || r.AdvisedHour > r.AdvisedDay || r.MostHour > 0 && r.MostHour < r.AdvisedHour || r.MostDay > 0 && r.MostDay < max(r.AdvisedDay, r.MostHour) {
			t.Errorf("%s: %+v", p, r)
		}
	}
	for _, test := range []struct {
		sent, left int
	}{{0, 20}, {19, 1}, {30, 0}} {
		if left, ok := RateOf("linkedin").LeftToday(test.sent); left != test.left || !ok {
			t.Errorf("after %d are left %d %v, want %d", test.sent, left, ok, test.left)
		}
	}
	if _, ok := RateOf("webhook").LeftToday(3); ok {
		t.Error("a webhook has no day")
	}
}
