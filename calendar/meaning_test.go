package calendar

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/postroom/postroom/post"
)

// say is a calendar with one event of these lines.
func say(lines ...string) string {
	return "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART:20260305T090000Z\r\n" + strings.Join(lines, "\r\n") + "\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
}

func TestWhatAnEventSays(t *testing.T) {
	t.Parallel()
	const both = "SUMMARY:Title\r\nDESCRIPTION:Body"
	for name, tc := range map[string]struct {
		event       string
		set         func(*Options)
		text, title string
	}{
		"the description":       {both, nil, "Body", "Title"},
		"else the summary":      {"SUMMARY:Title", nil, "Title", ""},
		"only the summary":      {both, func(o *Options) { o.Content = FromSummary }, "Title", ""},
		"only the description":  {both, func(o *Options) { o.Content = FromDescription }, "Body", "Title"},
		"both":                  {both, func(o *Options) { o.Content = FromBoth }, "Title\n\nBody", "Title"},
		"HTML":                  {`DESCRIPTION:<p>One &amp\; two</p><ul><li>a</li><li>b</li></ul><a href="https://example.com">here</a>`, nil, "One & two\n\n• a\n• b\nhere (https://example.com)", ""},
		"HTML of Word":          {`X-ALT-DESC;FMTTYPE=text/html:<html><body lang=DE><p class=MsoNormal>Gr&uuml;&szlig;e<o:p></o:p></p><p class=MsoNormal><o:p>&nbsp\;</o:p></p><p><![if !supportLists]><span>·&nbsp\;</span><![endif]>one<o:p></o:p></p></body></html>`, nil, "Grüße\n\n· one", ""},
		"HTML in blocks":        {`DESCRIPTION:<blockquote>said</blockquote>after<hr>end<ul><li>a<ol><li>b</li></ol></li><li>c</li></ul>done`, nil, "said\nafter\nend\n• a\n• b\n• c\ndone", ""},
		"signs in an address":   {`DESCRIPTION:<a href="https://example.com/?a=1&amp\;copy=2&amp\;reg=3">here</a><br>https://example.com/?b=1&times=2 &copy\;`, nil, "here (https://example.com/?a=1&copy=2&reg=3)\nhttps://example.com/?b=1&times=2 ©", ""},
		"an address in quotes":  {`DESCRIPTION:<a href=" https://example.com/it's">here</a>`, nil, "here (https://example.com/it's)", ""},
		"blocks in a link":      {`DESCRIPTION:see<a href="https://example.com"> <b>one</b><br>two </a>now`, nil, "see one\ntwo (https://example.com) now", ""},
		"what is not shown":     {`DESCRIPTION:<style><!-- p{} </style>a<script>b<p></script><title>c</title>d<title>e`, nil, "ade", ""},
		"tags that do not end":  {`DESCRIPTION:<br>a <b and c <!-- d <a href=x>e`, nil, "a <b and c <!-- d e", ""},
		"no HTML":               {"DESCRIPTION:I <3 you\\, x < y", nil, "I <3 you, x < y", ""},
		"HTML beside no text":   {"X-ALT-DESC;FMTTYPE=text/html:<html><body>Hi<br>there</body></html>", nil, "Hi\nthere", ""},
		"commas and backslash":  {`SUMMARY:a\, b\; c\\d\x`, nil, `a, b; c\dx`, ""},
		"front matter":          {`DESCRIPTION:Title: From front\nBody\nFirst comment: ha`, nil, "Body", "From front"},
		"fenced":                {`DESCRIPTION:---\nTitle: From front\n---\nOne\n---\nTwo`, nil, "One\n---\nTwo", "From front"},
		"parts of a thread":     {"SUMMARY:T\r\nDESCRIPTION:One\\n\\n---\\n\\nTwo", nil, "One\n\n---\n\nTwo", "T"},
		"an unknown key":        {`DESCRIPTION:Note: it stays`, nil, "Note: it stays", ""},
		"a prefix is cut":       {"SUMMARY:[X][LinkedIn] Hello", nil, "Hello", ""},
		"a prefix of any words": {"SUMMARY:Reminder: hello", nil, "Reminder: hello", ""},
	} {
		o := options()
		if tc.set != nil {
			tc.set(&o)
		}
		d := openText(t, say(tc.event), o).rows[0].Draft
		if d.Text != tc.text || d.Title != tc.title {
			t.Errorf("%s: %q, %q, want %q, %q", name, d.Title, d.Text, tc.title, tc.text)
		}
	}
}

func TestWhereAnEventNamesItsPlatforms(t *testing.T) {
	t.Parallel()
	for event, want := range map[string]string{
		"SUMMARY:x\r\nX-POST-PLATFORMS:linkedin\r\nCATEGORIES:Twitter":      "linkedin-2",
		"DESCRIPTION:Platforms: x, linkedin\\nHello":                        "twitter-1 linkedin-2",
		"SUMMARY:x\r\nCATEGORIES:Marketing,LinkedIn,Twitter":                "linkedin-2 twitter-1",
		"SUMMARY:LinkedIn: x":                                               "linkedin-2",
		"SUMMARY:x\r\nLOCATION:LinkedIn / X":                                "linkedin-2 twitter-1",
		"SUMMARY:x\r\nLOCATION:LinkedIn office":                             "",
		"SUMMARY:x":                                                         "",
		"SUMMARY:x\r\nCATEGORIES:LinkedIn\r\nCLASS:PRIVATE":                 "",
		"SUMMARY:x\r\nATTENDEE:mailto:a@example.com":                        "",
		"SUMMARY:x\r\nCATEGORIES:LinkedIn\r\nATTENDEE:mailto:a@example.com": "linkedin-2",
		"SUMMARY:x\r\nCATEGORIES:Linkedn":                                   "",
		"SUMMARY:x\r\nCATEGORIES:Facebook":                                  "",
	} {
		o := options()
		o.All, o.Platforms = false, nil
		r := openText(t, say(event), o).rows[0]
		var got []string
		for _, c := range r.Draft.Connections {
			got = append(got, string(c))
		}
		if s := strings.Join(got, " "); s != want && !post.HasErrors(r.Problems) || post.HasErrors(r.Problems) != (want == "") {
			t.Errorf("%q: %q, want %q (%v)", event, s, want, r.Problems)
		}
	}
}

// A calendar may hold a private life: of what is no post, nothing is told.
func TestP8_WhatIsNoPostIsNotTold(t *testing.T) {
	t.Parallel()
	o := options()
	o.All = false
	r := openText(t, say("SUMMARY:very secret", "DESCRIPTION:very secret", "LOCATION:very secret"), o).rows[0]
	for _, shown := range append(r.Cells, r.Problems[0].String(), r.Draft.Text, r.Draft.Title) {
		if strings.Contains(shown, "secret") {
			t.Errorf("shown: %q", shown)
		}
	}
}

// Who is invited is nobody's business here: that somebody is says all.
func TestAMeetingIsOneHoweverItsPeopleAreWritten(t *testing.T) {
	t.Parallel()
	for name, people := range map[string]string{
		"as ever":               "ATTENDEE;CN=\"A; B\":mailto:a@example.com",
		"in a line too long":    "ATTENDEE:mailto:" + strings.Repeat("a", maxLine) + "@example.com",
		"without a value":       "ATTENDEE;CN=A",
		"more than are counted": strings.TrimSuffix(strings.Repeat("ATTENDEE:mailto:a@b\r\n", maxProps), "\r\n"),
	} {
		r := openText(t, say(people, "SUMMARY:x"), options()).rows[0]
		if len(r.Problems) != 1 || r.Problems[0].Code != "NOT_A_POST" {
			t.Errorf("%s: %q, %v", name, r.Draft.Text, r.Problems)
		}
	}
	alarm := "BEGIN:VALARM\r\nACTION:EMAIL\r\nATTENDEE:mailto:a@b\r\nATTENDEE\r\nEND:VALARM"
	if r := openText(t, say("SUMMARY:x", alarm), options()).rows[0]; post.HasErrors(r.Problems) {
		t.Errorf("an alarm by mail: %v", r.Problems)
	}
}

func TestTasksAndJournalsArePostsWhereTheFolderSaysSo(t *testing.T) {
	t.Parallel()
	text := "BEGIN:VCALENDAR\r\nBEGIN:VTODO\r\nUID:t\r\nDUE:20260305T090000Z\r\nSUMMARY:task\r\nEND:VTODO\r\n" +
		"BEGIN:VTODO\r\nUID:done\r\nDUE:20260305T090000Z\r\nSTATUS:COMPLETED\r\nSUMMARY:done\r\nEND:VTODO\r\n" +
		"BEGIN:VJOURNAL\r\nUID:j\r\nDTSTART:20260306T090000Z\r\nSTATUS:DRAFT\r\nSUMMARY:journal\r\nEND:VJOURNAL\r\nEND:VCALENDAR\r\n"
	if f := openText(t, text, options()); len(f.rows) != 0 || len(f.Notes()) != 1 || !strings.Contains(f.Notes()[0].Want, "1 VJOURNAL, 2 VTODO") {
		t.Errorf("%d rows, %v", len(f.rows), f.Notes())
	}
	o := options()
	o.Tasks, o.Journals = true, true
	f := openText(t, text, o)
	if len(f.rows) != 3 || len(posts(f)) != 2 || f.rows[2].Draft.Status != post.StatusDraft {
		t.Errorf("%q", posts(f))
	}
}

func TestMediaAndLinksOfEvents(t *testing.T) {
	t.Parallel()
	const gif = "ATTACH;ENCODING=BASE64;VALUE=BINARY;FMTTYPE=image/gif:R0lGODlhAQABAAAAACw"
	for event, want := range map[string]string{
		"ATTACH:https://example.com/a.jpg":                         "https://example.com/a.jpg",
		"IMAGE;VALUE=URI:https://example.com/b.png":                "https://example.com/b.png",
		"ATTACH:pictures/a.jpg":                                    "pictures/a.jpg",
		"ATTACH;FMTTYPE=application/pdf:https://example.com/a.pdf": "",
		"ATTACH:Basso": "",
		`DESCRIPTION:text\nMedia: https://example.com/c.png`:                "https://example.com/c.png",
		"ATTACH:http://example.com/a.jpg":                                   "error",
		"ATTACH:cid:part1":                                                  "error",
		"ATTACH:file:///home/me/a.jpg":                                      "error",
		"ATTACH:../../etc/passwd":                                           "error",
		"ATTACH:https://drive.google.com/file/d/1/view":                     "error",
		"ATTACH;ENCODING=BASE64;VALUE=BINARY;FMTTYPE=image/png:bm8gaW1hZ2U": "error",
		"ATTACH;ENCODING=BASE64;VALUE=BINARY:!!!":                           "error",
		gif: "calendar/",
	} {
		r := openText(t, say("SUMMARY:x", event), options()).rows[0]
		var got string
		if len(r.Draft.Media) > 0 {
			got = r.Draft.Media[0].URL
		}
		if post.HasErrors(r.Problems) {
			got = "error"
		}
		if got != want && !(want == "calendar/" && strings.HasPrefix(got, want) && len(r.Media) == 1) {
			t.Errorf("%.60s: %q, want %q (%v)", event, got, want, r.Problems)
		}
	}
	o := options()
	o.Links = true
	for address, want := range map[string]string{"https://example.com/page": "https://example.com/page", "https://trello.com/c/abc": "", "https://www.google.com/calendar/event?eid=1": "", "javascript:alert(1)": ""} {
		if got := openText(t, say("SUMMARY:x", "URL:"+address), o).rows[0].Draft.Link; got != want {
			t.Errorf("%s: link %q, want %q", address, got, want)
		}
	}
}

// A picture stands in the file once, however many instances its series has.
func TestAPictureInsideASeriesIsCountedOnce(t *testing.T) {
	t.Parallel()
	png := base64.StdEncoding.EncodeToString([]byte("\x89PNG\r\n\x1a\n" + strings.Repeat("x", 1<<20)))
	f := openText(t, inEvent("RRULE:FREQ=DAILY\r\nATTACH;FMTTYPE=image/png;ENCODING=BASE64;VALUE=BINARY:"+png), options())
	if len(f.rows) < 80 {
		t.Fatalf("%d rows, want one a day", len(f.rows))
	}
	for _, r := range f.rows {
		if len(r.Problems) > 0 || len(r.Draft.Media) != 1 || len(r.Media) != 1 {
			t.Fatalf("row %d: %d pictures, %v", r.N, len(r.Draft.Media), r.Problems)
		}
	}
}
