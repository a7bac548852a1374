package importer

import (
	"strings"
	"testing"
	"time"
)

func TestPlainWordsBecomeARule(t *testing.T) {
	t.Parallel()
	start := time.Date(2027, 1, 6, 9, 0, 0, 0, berlin(t)) // a Wednesday
	for words, want := range map[string]string{
		"daily": "FREQ=DAILY", "Every day": "FREQ=DAILY", "daily for 10 days": "FREQ=DAILY;UNTIL=20270115", "every 3 days, 5 times": "FREQ=DAILY;INTERVAL=3;COUNT=5",
		"every other day": "FREQ=DAILY;INTERVAL=2", "every weekday": "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR",
		"weekly": "FREQ=WEEKLY", "weekly on mon, wed": "FREQ=WEEKLY;BYDAY=MO,WE", "every Tuesday and Friday": "FREQ=WEEKLY;BYDAY=TU,FR", "Mondays": "FREQ=WEEKLY;BYDAY=MO",
		"every other friday": "FREQ=WEEKLY;INTERVAL=2;BYDAY=FR", "every 2nd tuesday until 1 March": "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU;UNTIL=20270301",
		"every 2 weeks on mon & thu": "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,TH", "fortnightly": "FREQ=WEEKLY;INTERVAL=2", "weekly on tue for 3 weeks": "FREQ=WEEKLY;BYDAY=TU;UNTIL=20270126",
		"monthly": "FREQ=MONTHLY", "monthly on the 15th": "FREQ=MONTHLY;BYMONTHDAY=15", "every month on the last day": "FREQ=MONTHLY;BYMONTHDAY=-1",
		"monthly on the first monday": "FREQ=MONTHLY;BYDAY=1MO", "every 2nd tuesday of the month": "FREQ=MONTHLY;BYDAY=2TU", "last friday of every month": "FREQ=MONTHLY;BYDAY=-1FR",
		"every 3 months on the 1st": "FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=1", "yearly": "FREQ=YEARLY", "daily until 2027-02-01": "FREQ=DAILY;UNTIL=20270201", "daily until March 1st": "FREQ=DAILY;UNTIL=20270301",
		"daily until 5 January": "FREQ=DAILY;UNTIL=20280105", "rrule:freq=weekly;byday=tu": "RRULE:FREQ=WEEKLY;BYDAY=TU",
	} {
		if r, err := parseRepeat(words, start, orderNone); err != nil || r.rule != want {
			t.Errorf("%s: %q %v, want %q", words, r.rule, err, want)
		}
	}
	for _, words := range []string{"sometimes", "every", "every 0 days", "monthly on the 32nd", "every 1st tuesday", "every blue moon", "daily until soon", "daily until 31 February", "weekly on mon, fish", "daily for 0 days", "every 6th friday of the month"} {
		if r, err := parseRepeat(words, start, orderNone); err == nil {
			t.Errorf("%s: got %q", words, r.rule)
		}
	}
}

func TestARuleInPlainWordsBeginsOnADayThatItNames(t *testing.T) {
	t.Parallel()
	start := time.Date(2027, 1, 6, 9, 0, 0, 0, berlin(t))
	r, err := parseRepeat("every other friday", start, orderNone)
	if at := r.begins(start); err != nil || at.Format("2006-01-02T15:04") != "2027-01-08T09:00" {
		t.Errorf("%s %v", at, err)
	}
}

func TestARepeatCellThatIsNotUnderstoodSaysWhatWouldBe(t *testing.T) {
	t.Parallel()
	got := read(t, testOptions(t, "week.csv"), []byte("content,platforms,scheduled_time,repeat\nOne,twitter,2026-03-01 09:00,now and then\nTwo,twitter,,daily\nThree,twitter,2026-03-01 09:00,every 2nd tuesday\n"))
	for _, want := range []string{
		`week.csv:2:4: repeat: got "now and then", want words such as: daily · every weekday ·`,
		`week.csv:3:4: repeat: got "daily", want a first time in scheduled_time, from which it repeats`,
		`week.csv:4:4: warning: repeat: got "every 2nd tuesday", want words that mean one thing: this was read as every 2 weeks`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func FuzzRepeat(f *testing.F) {
	for _, s := range []string{"daily", "every 2nd tuesday until 1 March", "weekly on mon, wed for 3 weeks", "monthly on the 15th", "FREQ=DAILY", "every other friday, 10 times"} {
		f.Add(s)
	}
	start := time.Date(2027, 1, 6, 9, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, s string) {
		r, err := parseRepeat(s, start, orderNone)
		if err != nil {
			if err.Error() == "" {
				t.Error("an error that says nothing")
			}
			return
		}
		if !strings.Contains(r.rule, "FREQ=") || len(r.rule) > len(s)+200 {
			t.Errorf("%q: %q", s, r.rule)
		}
		if at := r.begins(start); at.Before(start) || at.After(start.AddDate(0, 0, 7)) {
			t.Errorf("%q begins at %s", s, at)
		}
	})
}
