package cleaning

import (
	"bytes"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// fold makes text comparable: lower case, without accents. É becomes e.
func fold(s string) string {
	if ascii(s) {
		return strings.ToLower(s)
	}
	var b strings.Builder
	for _, r := range norm.NFKD.String(s) {
		if !unicode.Is(unicode.Mn, r) {
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}

func ascii(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// SearchMark begins the tokens of words that may concern a private person
// (~wong). No word of a query has it, so that a search that does not ask for
// such tokens does not meet them, however it goes about it.
const SearchMark = "~"

// Bounds of search tokens. An index has an entry for each, which databases keep
// short: PostgreSQL up to 2,704 bytes, MongoDB before 4.2 up to 1,024.
const (
	maxWord  = 64   // bytes of a word; the rest of it is not searched for
	maxWords = 1000 // of a document; further ones are not found
)

// tokens collects search tokens: the words of folded text, with apostrophes
// within a word left out (richmonds).
type tokens struct {
	text  []byte
	words []span
}

type span struct{ start, end int }

func (t *tokens) reset() { t.text, t.words = t.text[:0], t.words[:0] }

// add adds the words of a text, each with a mark in front.
func (t *tokens) add(s, mark string) {
	if !ascii(s) {
		s = fold(s)
	}
	start, cut := len(t.text), false
	begin := func() { t.text = append(t.text, mark...) }
	put := func(r rune) {
		if cut = cut || len(t.text)+utf8.RuneLen(r) > start+len(mark)+maxWord; !cut {
			t.text = utf8.AppendRune(t.text, r)
		}
	}
	finish := func() {
		if cut = false; len(t.text) > start+len(mark) && len(t.words) < maxWords {
			t.words = append(t.words, span{start, len(t.text)})
		} else {
			t.text = t.text[:start]
		}
		start = len(t.text)
		begin()
	}
	begin()
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			put(r)
		case r >= 'A' && r <= 'Z':
			put(r - 'A' + 'a')
		case r == '\'' || r == '’' || r == '`':
		case r >= utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsNumber(r)):
			put(r)
		default:
			finish()
		}
	}
	finish()
}

func (t *tokens) word(s span) []byte { return t.text[s.start:s.end] }

// sorted returns the tokens in byte order, each once.
func (t *tokens) sorted() []span {
	slices.SortFunc(t.words, func(a, b span) int { return bytes.Compare(t.word(a), t.word(b)) })
	t.words = slices.CompactFunc(t.words, func(a, b span) bool { return bytes.Equal(t.word(a), t.word(b)) })
	return t.words
}

// Words returns the search tokens of a text in byte order, each once: those
// that facets.tokens holds, without a mark, and those that a search looks up
// there.
func Words(s string) []string {
	var t tokens
	t.add(s, "")
	spans := t.sorted()
	words := make([]string, len(spans))
	for i, w := range spans {
		words[i] = string(t.word(w))
	}
	return words
}
