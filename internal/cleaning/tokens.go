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

// tokens collects search tokens: the words of folded text, an apostrophe within a word left out (richmonds).
type tokens struct {
	text  []byte
	words []span
}

type span struct{ start, end int }

func (t *tokens) reset() { t.text, t.words = t.text[:0], t.words[:0] }

func (t *tokens) add(s string) {
	if !ascii(s) {
		s = fold(s)
	}
	start := len(t.text)
	finish := func() {
		if len(t.text) > start {
			t.words = append(t.words, span{start, len(t.text)})
		}
		start = len(t.text)
	}
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			t.text = append(t.text, byte(r))
		case r >= 'A' && r <= 'Z':
			t.text = append(t.text, byte(r)-'A'+'a')
		case r == '\'' || r == '’' || r == '`':
		case r >= utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsNumber(r)):
			t.text = utf8.AppendRune(t.text, r)
		default:
			finish()
		}
	}
	finish()
}

func (t *tokens) word(s span) []byte { return t.text[s.start:s.end] }

// sorted are the tokens in byte order, each once.
func (t *tokens) sorted() []span {
	slices.SortFunc(t.words, func(a, b span) int { return bytes.Compare(t.word(a), t.word(b)) })
	t.words = slices.CompactFunc(t.words, func(a, b span) bool { return bytes.Equal(t.word(a), t.word(b)) })
	return t.words
}

// Words are the search tokens of a text, in byte order, each once: what facets.tokens has of it, and what a search
// looks up there.
func Words(s string) []string {
	var t tokens
	t.add(s)
	spans := t.sorted()
	words := make([]string, len(spans))
	for i, w := range spans {
		words[i] = string(t.word(w))
	}
	return words
}
