package importer

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/postroom/postroom/post"
)

// A field is what a column means, by its name in messages.
type field string

const (
	fieldContent   field = "content"
	fieldPlatforms field = "platforms"
	fieldWhen      field = "scheduled_time"
	fieldDate      field = "date"
	fieldTime      field = "time"
	fieldHalf      field = "am/pm"
	fieldMedia     field = "media_url"
	fieldTitle     field = "title"
	fieldAlt       field = "alt_text"
	fieldLink      field = "link"
	fieldZone      field = "timezone"
	fieldStatus    field = "status"
	fieldApprove   field = "approve" // whether the row may go out
	fieldReady     field = "ready"   // the same, in other words
	fieldHold      field = "hold"    // whether the row stays back
	fieldStage     field = "stage"   // how far the work on the row is
	fieldPosted    field = "posted"  // whether another program has posted the row
	fieldID        field = "external_id"
	fieldComment   field = "first_comment"
	fieldLabels    field = "labels"
	fieldSettings  field = "platform_settings"
	fieldRepeat    field = "repeat"
	fieldYear      field = "year" // the parts of a time, each in a column of its own
	fieldMonth     field = "month"
	fieldDay       field = "day"
	fieldHour      field = "hour"
	fieldMinute    field = "minute"
	fieldVariant   field = "content_" // and a platform

	// Of other tools' files alone.
	fieldOn         field = "platform"   // a box for one platform
	fieldProfile    field = "profile"    // where to, in the tool's own words
	fieldCategories field = "categories" // platforms among them, the rest are labels
	fieldDraft      field = "draft"      // a box
	fieldExtra      field = "extra"      // what its words ask for
	fieldKind       field = "kind"       // whether fieldEither is media or a link
	fieldEither     field = "media_url or link"
	fieldAllDay     field = "all_day" // a box
	fieldPrivate    field = "private" // a box
	fieldGuests     field = "guests"

	fieldIgnored field = "-" // known, and of no use here
	fieldUnknown field = ""
)

// A column is what one column of a file means.
type column struct {
	field    field
	platform post.Platform // of a variant, or of a box
	nth      int           // the number at the end of its name; 0 for none
	form     *formColumn   // what the tool says that wrote the file; nil for none
}

// synonyms are the names under which the columns go about, squeezed: lower case,
// without blanks and punctuation (INGEST §4.2).
var synonyms = map[field]string{
	fieldContent: `content text message messagetext post postcontent posttext postcopy copy caption body description tweet socialcopy
		beitrag inhalt beitragstext nachricht texte contenu texto contenido conteudo conteúdo mensagem mensaje testo contenuto tekst bericht inhoud légende legende legenda`,
	fieldPlatforms: `platforms platform networks network socialnetwork socialnetworks channels channel accounts account profiles profile
		socialprofile socialmedias social destination destinations where connections connection kanal kanäle plattform plattformen netzwerk
		réseau réseaux reseau reseaux canal canaux red redes canales rede redsocial redessociales redesocial redessociais réseausocial réseauxsociaux reseausocial reseauxsociaux canais canale canali rete kanaal kanalen`,
	fieldWhen: `scheduledtime scheduledat scheduled schedule scheduledate scheduledatetime scheduledfor scheduletime scheduledon golivedate goliveat golivetime livedate publishat publishdate publishtime
		publishon publicationdate publicationtime postat postdate posttime postingtime postingdate postatspecifictime datetime due dueat duedate when start startdatetime
		zeitpunkt veröffentlichung veröffentlichen termin publication datedepublication publicar fechadepublicacion fechadepublicación
		datadepublicacao datadepublicação datadipubblicazione veröffentlichungsdatum publikationsdatum publicatiedatum dateofpublication`,
	fieldDate: `date startdate scheduleddate day datum fecha data dateintlformatorprompt`,
	fieldTime: `time time24hr starttime hour uhrzeit zeit heure hora ora tijd timeofpublication
		veröffentlichungszeit heuredepublication horadepublicacion horadepublicación horadepublicacao horadepublicação oradipubblicazione publicatietijd`,
	fieldMedia: `mediaurl mediaurls media image images imageurl imageurls picture pictureurl photo photos photourl video videourl videourls gifurl gifurls
		attachment attachments asset assets bild bilder imagem imagen imagine mídia midia afbeelding medien`,
	fieldHalf:     `ampm meridiem`,
	fieldTitle:    `title subject headline titel betreff titre asunto titulo título titolo onderwerp`,
	fieldAlt:      `alttext alttexts alt imagedescription imagealt bildbeschreibung alttexte`,
	fieldLink:     `link links url linkurl ogmetaurl landingpage lien enlace`,
	fieldZone:     `timezone tz zone utcoffset gmtoffset timezoneoffset tzoffset offset zeitzone fuseauhoraire zonahoraria fusoorario tijdzone`,
	fieldStatus:   `status state poststatus zustand statut estado stato`,
	fieldApprove:  `approve approved approval validé valide validation bonàpublier bonapublier validado validato godkänd godkendt godkjent zatwierdzone schváleno akkoord abgenommen freigabe freigegeben genehmigt aprobado aprovado approuvé approuve approvato goedgekeurd`,
	fieldPosted:   `posted alreadyposted importsuccess`,
	fieldID:       `externalid id uid rowid postid reference kennung identifiant`,
	fieldComment:  `firstcomment followupcomment comment comments ersterkommentar premiercommentaire primercomentario`,
	fieldLabels:   `labels label tags tag category categories campaign hashtaggroup kategorie kampagne étiquettes etiquetas`,
	fieldSettings: `platformsettings settings`,
	fieldRepeat:   `repeat repeats recurrence recurring rrule wiederholung`,
	fieldIgnored:  `postroomerror notes note notizen location ort enddate endtime alldayevent private reminder postgroupid`,
}

var fieldOf = func() map[string]field {
	m := map[string]field{}
	for f, names := range synonyms {
		for _, n := range strings.Fields(names) {
			m[n] = f
		}
	}
	return m
}()

// squeeze makes a column name comparable: NFKC, lower case, no hint in brackets
// at its end, and only letters and digits.
func squeeze(name string) string {
	name = strings.ToLower(norm.NFKC.String(name))
	if at := strings.LastIndexByte(name, '('); at > 0 && strings.HasSuffix(strings.TrimSpace(name), ")") {
		name = name[:at]
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, name)
}

// columnOf reads one column name.
func columnOf(name string) column {
	s := squeeze(name)
	if f, ok := fieldOf[s]; ok {
		return column{field: f}
	}
	if bare, n := unnumbered(s); n > 0 && (fieldOf[bare] == fieldMedia || fieldOf[bare] == fieldAlt) {
		return column{field: fieldOf[bare], nth: n}
	}
	// content_twitter and the like.
	if rest, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(name)), "content_"); ok {
		if p, known := post.PlatformByName(rest); known {
			return column{field: fieldVariant, platform: p}
		}
	}
	// "Text - For the video, pin, PDF": the part before the dash.
	if head, _, ok := strings.Cut(name, " - "); ok {
		if f, ok := fieldOf[squeeze(head)]; ok {
			return column{field: f}
		}
	}
	return column{}
}

// known counts the cells of a row that are column names. A name for which the
// file has another use anyway, such as a lone word, counts too.
func known(cells []string) int {
	n := 0
	for _, c := range cells {
		if len(c) <= 100 && columnOf(c).field != fieldUnknown {
			n++
		}
	}
	return n
}

// principal are the names near which a misspelt column is an error and not just
// an unknown one: the file would silently lose what matters.
var principal = []string{"content", "platforms", "scheduled_time", "media_url", "timezone", "external_id", "first_comment", "platform_settings"}

// nearMiss returns the column that a name was probably meant to be.
func nearMiss(name string) string {
	s := squeeze(name)
	if len(s) < 5 {
		return ""
	}
	for _, p := range principal {
		if post.Nearest(s, []string{squeeze(p)}) != "" {
			return p
		}
	}
	return ""
}

// says reports whether a column holds what is posted.
func (c column) says() bool {
	switch c.field {
	case fieldContent, fieldVariant, fieldMedia, fieldTitle:
		return true
	}
	return false
}
