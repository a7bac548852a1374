package importer

import (
	"context"
	"errors"

	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/postroom/postroom/post"
)

// A gate is a column beside approve that says of each row whether it may go out.
type gate struct {
	column int
	kind   gateKind
	mixed  bool // it holds other things too, and only its clear words count
}

// A gateKind is what a yes in a gate means.
type gateKind uint8

const (
	opens     gateKind = iota + 1 // the row may go out, and without one it may not
	opensToo                      // the same, of a name that means something else where the column holds more than yes and no
	holds                         // the row stays back
	isOver                        // another program has posted the row, and so has anything else that is no plain no
	mayBeOver                     // the same of a yes, a time that has passed and an address; other words say nothing
	stage                         // nothing, but some words say that the row waits or is out
	counted                       // nothing, but a number says of a row whose time has passed that it is out
)

// gateKinds are the names of gates, squeezed.
var gateKinds = func() map[string]gateKind {
	m := map[string]gateKind{}
	for kind, names := range map[gateKind]string{
		opens: `ready publish topublish topost tosend readytopublish readytopost readytogo readytoschedule readytosend golive gopublic release cleared
			oktopost oktopublish okaytopost okaytopublish signedoff signoff approvalstatus clientapproval clientapproved approvedbyclient finalapproval
			legalapproval legalapproved managerapproval managerapproved contentapproved postapproved autopost autopublish
			bereit posten freigabestatus publier àpublier apublier prêt pret listo listoparapublicar pubblicare pronto publiceren klaar gereed`,
		opensToo: `scheduled schedule veröffentlichen publicar publication post send queue queued include active enabled confirmed final`,
		holds: `draft isdraft entwurf brouillon borrador rascunho bozza concept hold onhold paused pause donotpost dontpost donotpublish dontpublish donotsend
			skip exclude cancelled canceled archived deleted`,
		isOver: synonyms[fieldPosted],
		mayBeOver: `published ispublished alreadypublished isposted sent issent alreadysent live islive wentlive done postedon postedat publishedon publishedat
			publisheddate posteddate dateposted datepublished senton sentat permalink liveurl livelink publishedurl publishedlink postedurl postedlink tweeturl
			veröffentlicht gepostet erledigt publié publie posté publicado pubblicato gepubliceerd geplaatst enviado`,
		stage:   `publishstatus publishingstatus publicationstatus postingstatus contentstatus workflow workflowstatus stage progress phase version draftfinal`,
		counted: `impressions engagement engagements engagementrate likes retweets reposts shares reactions clicks linkclicks views videoviews reach`,
	} {
		for _, n := range strings.Fields(names) {
			m[n] = kind
		}
	}
	return m
}()

// waits are the stages of work before a row may go out, as boards name them.
var waits = words("idea ideas idee idée to-do todo backlog not-started in-progress in-bearbeitung in-arbeit en-cours writing wip in-review review needs-review waiting blocked paused not-ready not-approved not-published rejected changes-requested zur-freigabe à-valider")

// Parts of names that make gates of longer ones: "Ready for publishing", "Internal
// approval". What is written about an approval is none.
var (
	letsOut    = regexp.MustCompile(`readyto|readyfor|approved|approval|signoff|signedoff|tobeposted|tobepublished|canbeposted|canbepublished|goodtogo|postit|publishit|^freigabe|^genehmigung`)
	isOut      = regexp.MustCompile(`^posted(?:to|yn)|^published(?:to|yn)|beenposted|beenpublished|livepost|postpermalink|^tweeted$|publicerad|publiceret|publisert`)
	aboutIt    = words("by on at date time note notes comment comments link links url due deadline owner who person name from until durch von vom am datum notiz bis")
	whoSaysYes = regexp.MustCompile(`^approvedby(?:client|legal|manager|boss|team|marketing|pr)$|^approvedfor`)
)

// gateKindOf finds what kind of gate a column is by its name; 0 is none.
func gateKindOf(name string) gateKind {
	key := squeeze(name)
	if kind := gateKinds[key]; kind != 0 {
		return kind
	}
	if columnOf(name).field != fieldUnknown {
		return 0
	}
	about := slices.ContainsFunc(strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return !unicode.IsLetter(r) }), func(w string) bool { return aboutIt[w] })
	switch network, ok := strings.CutSuffix(key, "status"); {
	case letsOut.MatchString(key) && !about, whoSaysYes.MatchString(key):
		return opens
	case isOut.MatchString(key):
		return mayBeOver
	case ok:
		if _, known := post.PlatformByName(network); known {
			return stage
		}
	}
	return 0
}

// A gateTally counts what the cells of a column hold that may be a gate.
type gateTally struct {
	gate
	name                        string
	filled, boxes, words, times int
}

// add counts a cell.
func (t *gateTally) add(cell string) {
	word := boxWord(cell)
	if word == "" {
		return
	}
	t.filled++
	if yes[word] || no[word] {
		t.boxes++
		return
	}
	if _, ok := approval(cell); ok || over[word] || waits[word] {
		t.words++
	} else if _, err := parseWhen(tidy(cell), orderDMY); !errors.Is(err, errNoDate) {
		t.times++
	}
}

// settled reports whether no further cell matters.
func (t *gateTally) settled() bool {
	return t.kind >= isOver || t.kind == opensToo && t.boxes < t.filled
}

// boxWord is the word of a cell that may be a box, with hyphens for its blanks.
func boxWord(cell string) string {
	return strings.ToLower(strings.Join(strings.Fields(tidy(strings.Map(printable, cell))), "-"))
}

// findGates finds the gates among the columns: most of their names tell alone, but a
// column "Scheduled" is one only where all its cells are a yes or a no.
func (f *File) findGates(ctx context.Context) error {
	if len(f.headers) == 0 {
		return nil
	}
	var tallies []gateTally
	for i, name := range f.header {
		kind := gateKindOf(name)
		name = squeeze(name)
		if kind == 0 || f.columns[i].form != nil && f.columns[i].field != fieldWhen {
			continue
		}
		tallies = append(tallies, gateTally{gate: gate{column: i, kind: kind}, name: name})
	}
	open := func(t gateTally) bool { return !t.settled() }
	if !slices.ContainsFunc(tallies, open) {
		return f.setGates(tallies)
	}
	err := f.eachRecord(ctx, func(rec *record) (more bool, err error) {
		if rec.fault != noFault {
			return true, nil
		}
		for i := range tallies {
			tallies[i].add(rec.cell(tallies[i].column))
		}
		return slices.ContainsFunc(tallies, open), nil
	})
	if err != nil {
		return err
	}
	return f.setGates(tallies)
}

// setGates makes those columns gates that are some by what they hold.
func (f *File) setGates(tallies []gateTally) error {
	for _, t := range tallies {
		as := fieldReady
		switch t.kind {
		case opens:
			if t.mixed = t.times > 0; t.boxes+t.words == 0 && t.filled > 0 && (t.mixed || gateKinds[t.name] == 0 || !strings.Contains(t.name, "approv")) {
				continue
			}
		case opensToo:
			if t.boxes < t.filled || t.filled == 0 && !f.scheduledElse(t) || t.name == "post" && !f.saysElse(t.column) {
				continue
			}
		case holds:
			if t.boxes == 0 {
				continue
			}
			as, t.mixed = fieldHold, t.boxes < t.filled
		case stage:
			as = fieldStage
		default:
			as = fieldPosted
		}
		f.gates = append(f.gates, t.gate)
		f.columns[t.column] = column{field: as}
		if as == fieldReady {
			f.note(post.Problem{Line: f.line, Column: t.column + 1, Field: f.header[t.column], Code: "GATE_COLUMN", Want: t.says(), Hint: "give the column another name if it means something else"})
		}
	}
	return nil
}

// says tells what a gate does.
func (t *gateTally) says() string {
	switch {
	case t.mixed:
		return "yes or no in this column: rows with a no wait for a person"
	case t.filled == 0:
		return "a yes in this column for rows that may go out: none has one, so all of them wait for a person"
	}
	return "a yes in this column for rows that may go out: the others wait for a person"
}

// scheduledElse reports whether a column named after scheduling holds nothing while
// others have the times, so that it can only be a box that nobody has ticked.
func (f *File) scheduledElse(t gateTally) bool {
	if !strings.HasPrefix(t.name, "schedule") {
		return false
	}
	for i, c := range f.columns {
		if i != t.column && (c.field == fieldWhen || c.field == fieldDate) {
			return true
		}
	}
	return false
}

// saysElse reports whether another column than one holds texts.
func (f *File) saysElse(column int) bool {
	for i, c := range f.columns {
		if i != column && (c.field == fieldContent || c.field == fieldVariant) {
			return true
		}
	}
	return false
}

// gated reads the gates of a row.
func (m *maker) gated() {
	d := &m.row.Draft
	for _, g := range m.gates {
		cell := m.row.Cells[g.column]
		word := boxWord(cell)
		approved, clear := approval(cell)
		switch {
		case g.kind == isOver && word != "" && !no[word], g.kind == mayBeOver && m.isOver(word, cell):
			m.gateWrong(g, fieldPosted, "NOT_TO_BE_POSTED", cell, "no, or nothing: this says that the row was posted already", "take the row out, or empty the cell if it is still to go out")
		case g.kind == isOver || g.kind == mayBeOver:
		case g.kind == counted:
			if number, err := strconv.ParseFloat(strings.TrimRight(strings.ReplaceAll(word, ",", ""), "%km"), 64); err == nil && number > 0 && !d.At.IsZero() && d.At.Before(m.opt.Today) {
				m.gateWrong(g, fieldPosted, "NOT_TO_BE_POSTED", cell, "nothing here for a row whose time has passed: this counts what the post has brought", "take the row out: it was posted already")
			}
		case g.kind == stage:
			switch {
			case over[word]:
				m.gateWrong(g, fieldStage, "NOT_TO_BE_POSTED", cell, "a row that is still to go out", "take the row out: it says that it is over")
			case drafty[word] || waits[word]:
				d.Status = post.StatusDraft
			}
		case g.kind == holds:
			if yes[word] && !(g.mixed && word == "1") {
				d.Status = post.StatusDraft
			}
		case over[word]:
			m.gateWrong(g, fieldReady, "NOT_TO_BE_POSTED", cell, "yes or no: this says that the row is over", "take the row out, or write yes if it is still to go out")
		case waits[word], clear && !approved && !(g.mixed && word == ""):
			d.Status = post.StatusDraft
		case !clear && !g.mixed:
			m.gateWrong(g, fieldReady, "UNKNOWN_APPROVAL", cell, "yes or no", "write yes to let the row out, or leave the cell empty to keep it back")
		}
	}
}

func (m *maker) gateWrong(g gate, f field, code, got, want, hint string) {
	m.row.problem(post.Problem{Column: g.column + 1, Field: string(f), Code: code, Got: post.Shorten(got), Want: want, Hint: hint})
}

// isOver reports whether a cell says that the row is out: a yes or a word like
// "published", the address of the post, or the time at which it was posted.
func (m *maker) isOver(word, cell string) bool {
	if word == "" || no[word] {
		return false
	}
	if yes[word] || over[word] || isAddress(tidy(cell)) {
		return true
	}
	if m.opt.Today.IsZero() {
		return false
	}
	past := false
	for _, order := range []dateOrder{orderDMY, orderMDY} {
		w, err := parseWhen(tidy(cell), order)
		if err != nil {
			continue
		}
		if at, _ := w.in(m.opt.Zone); at.After(m.opt.Today) {
			return false
		}
		past = true
	}
	return past
}

// isGate reports whether a column is a gate.
func (f *File) isGate(i int) bool {
	return slices.ContainsFunc(f.gates, func(g gate) bool { return g.column == i })
}

// alsoGate makes a gate of a further column for the status or the approval of a row:
// what the best of them lets out another may keep back.
func (f *File) alsoGate(want field, column int) bool {
	switch want {
	case fieldStatus:
		f.gates = append(f.gates, gate{column: column, kind: stage})
		f.columns[column].field = fieldStage
	case fieldApprove:
		f.gates = append(f.gates, gate{column: column, kind: opens})
		f.columns[column].field = fieldReady
	default:
		return false
	}
	return true
}
