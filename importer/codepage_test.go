package importer

import (
	"strings"
	"testing"

	textenc "golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"

	"github.com/postroom/postroom/post"
)

// sentences are what calendars say, in the code page of the country.
var sentences = []struct {
	language string
	in       textenc.Encoding
	texts    []string
}{
	{"French", charmap.Windows1252, []string{
		"Découvrez notre nouvelle collection printemps-été, créée à Lyon !", "L’œuvre d’une sœur – “Noël” à 50 €", "Prêt-à-porter, goûtez à l'été, naïf ou pas",
		"Élégance, forêt, août, maïs, ambiguë", "Le n° 1 des crèmes brûlées à Besançon", "Ça y est : la rentrée est là, aïe aïe aïe", "À l’aube, un château, une île, un rêve",
	}},
	{"German", charmap.Windows1252, []string{
		"Für alle Größen: jetzt 20 % auf Süßes!", "Schööööne Grüße aus München & Köln", "Süüüüß! Das wird großartig", "Über 300 m² Fläche – ‚Ökostrom‘ für „Österreich“",
		"Café Málaga lädt ein", "Äußerst günstig: 5 °C kälter", "Düsseldorf × København", "Fußöffnung, don´t worry",
	}},
	{"Spanish", charmap.Windows1252, []string{
		"¿Qué esperas? ¡Compra ya!", "Mañana abrimos a las 9 en Málaga", "¡El niño comió pingüino y piña!", "Está aquí: tu 1ª compra con el nº 1",
		"“Cuídate”, dijo Él. ¿Él? ¿Éxito?", "Señor Müller en Cádiz", "Habitación 3º B, 20 m³",
	}},
	{"Portuguese", charmap.Windows1252, []string{"Promoção de verão: até amanhã!", "São Paulo, coração, maçã, ações, PROMOÇÕES", "Não perca: à noite há música", "Três pães e um avô"}},
	{"Italian", charmap.Windows1252, []string{"Perché no? È già estate", "La città più bella, così com'è", "Caffè a metà prezzo, venerdì"}},
	{"Dutch", charmap.Windows1252, []string{"Ideeën voor één vakantie", "Coördinatie, reünie, financiële", "Hé, kóm nou!"}},
	{"Danish", charmap.Windows1252, []string{"Så er det sommer på Ærø – kom til os", "Smørrebrød, øl og blåbær", "Gå på opdagelse i København"}},
	{"Swedish", charmap.Windows1252, []string{"Åk till Malmö på lördag", "Räksmörgås och köttbullar å ä ö", "Välkommen hem, Zoë"}},
	{"Finnish", charmap.Windows1252, []string{"Hyvää syntymäpäivää! Tervetuloa töihin", "yöäänestys, jäätelöä", "Nyt myös šakki"}},
	{"Estonian", charmap.Windows1252, []string{"Õhtusöök täna kell kuus", "Jõuluüritus, žürii ja võitjad"}},
	{"Icelandic", charmap.Windows1252, []string{"Þýðing: íþróttir og óþægilegt veður", "Góðan daginn, við opnum á morgun"}},
	{"English", charmap.Windows1252, []string{
		"Save £££ now – 50% off “everything”", "Beyoncé’s naïve résumé costs £5", "Nike® × Adidas™ — ½ price", "It’s 20°C… don´t miss it", "São Paulo to Zürich in 3½ hours", "¥500, 5¢ and §5 • ©Acme¹",
	}},

	{"Polish", charmap.Windows1250, []string{"Zażółć gęślą jaźń", "Nowa kolekcja już dostępna – sprawdź!", "Dziękujemy za zaufanie, jesteście wspaniali", "Łódź czeka na was"}},
	{"Czech", charmap.Windows1250, []string{"Nová kolekce je tady – objevte ji dříve než ostatní", "Čerstvá káva každé ráno", "Těšíme se na vás v pátek"}},
	{"Hungarian", charmap.Windows1250, []string{"Új őszi kollekció érkezett", "Gyűjtsd a pontokat és nyerj értékes ajándékokat", "Köszönjük, hogy minket választottatok"}},
	{"Romanian", charmap.Windows1250, []string{"Bună dimineaţa, prieteni", "Mulţumim că sunteţi alături de noi"}},
	{"Croatian", charmap.Windows1250, []string{"Čestitamo svim našim kupcima", "Posjetite nas u četvrtak, sve će biti svježe"}},
	{"Turkish", charmap.Windows1254, []string{"İstanbul’da güzel bir gün, şık ayakkabılar", "Büyük indirim başladı, kaçırmayın", "Yeni koleksiyonumuz şimdi mağazalarda"}},
	{"Russian", charmap.Windows1251, []string{"Привет, мир! Новая коллекция уже здесь", "Скидки до 50 %"}},
	{"Russian", charmap.KOI8R, []string{"Привет, мир! Новая коллекция уже здесь"}},
	{"Russian", charmap.CodePage866, []string{"Привет, мир! Новая коллекция уже здесь"}},
	{"Greek", charmap.Windows1253, []string{"Νέα συλλογή, έλα να τη δεις"}},
	{"Hebrew", charmap.Windows1255, []string{"שלום עולם"}},
	{"Arabic", charmap.Windows1256, []string{"مرحبا بكم في متجرنا الجديد"}},
	{"Thai", charmap.Windows874, []string{"สวัสดีครับ"}},
	{"Japanese", japanese.ShiftJIS, []string{"春の新作コレクションが登場", "セール開始"}},
	{"Japanese", japanese.EUCJP, []string{"春の新作コレクションが登場"}},
	{"Chinese", simplifiedchinese.GBK, []string{"春季新品上市，欢迎选购", "今天的优惠"}},
	{"Chinese", traditionalchinese.Big5, []string{"春季新品上市，歡迎選購"}},
	{"Korean", korean.EUCKR, []string{"새로운 봄 컬렉션을 만나보세요", "오늘의 할인"}},
	{"French", charmap.Macintosh, []string{"Élégance française, déjà", "Café crème à Paris"}},
	{"German", charmap.CodePage850, []string{"Für alle Größen"}},
}

// encoded is a calendar with the texts, in an encoding.
func encoded(t *testing.T, in textenc.Encoding, texts ...string) []byte {
	t.Helper()
	var b strings.Builder
	b.WriteString("content,platforms,scheduled_time\n")
	for _, text := range texts {
		raw, err := in.NewEncoder().String(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		b.WriteString(`"` + raw + "\",x,2026-03-01T09:00:00Z\n")
	}
	return []byte(b.String())
}

func TestTextsInOtherCodePagesAreRefused(t *testing.T) {
	t.Parallel()
	for _, s := range sentences {
		got := read(t, testOptions(t, "a.csv"), encoded(t, s.in, s.texts...))
		if s.in != charmap.Windows1252 {
			if !strings.HasPrefix(got, "unusable: a.csv:") || !strings.Contains(got, "in another code page") {
				t.Errorf("%s in %v: got\n%s", s.language, s.in, got)
			}
			continue
		}
		for _, text := range s.texts {
			if !strings.Contains(got, post.Shorten(text)) {
				t.Errorf("%s: %q is not in\n%s", s.language, text, got)
			}
		}
		if strings.Contains(got, " draft") || strings.Contains(got, "as they were") {
			t.Errorf("%s: got\n%s", s.language, got)
		}
	}
}

// Where most of a file is well, the rest of it waits.
func TestARowInAnotherCodePageWaits(t *testing.T) {
	t.Parallel()
	good := string(encoded(t, charmap.Windows1252, sentences[1].texts...))
	_, row, _ := strings.Cut(string(encoded(t, charmap.Windows1250, "Čerstvá káva každé ráno")), "\n")
	got := read(t, testOptions(t, "a.csv"), []byte(good+row))
	if n := strings.Count(got, " draft"); n != 1 || !strings.Contains(got, "waits for a person") {
		t.Errorf("%d drafts in\n%s", n, got)
	}
}

// Parts in UTF-8 may have any letters.
func TestUTF8AmongWindows1252IsNoOtherCodePage(t *testing.T) {
	t.Parallel()
	good := string(encoded(t, charmap.Windows1252, "Grüße"))
	got := read(t, testOptions(t, "a.csv"), []byte(good+"Čerstvá káva každé ráno 🎉 šedý,x,\nПривет мир,x,\n"))
	if strings.Contains(got, "draft") || strings.Contains(got, "unusable") {
		t.Errorf("got\n%s", got)
	}
}
