package cleaning

import (
	"slices"
	"strings"
	"unicode"

	"padron/internal/dataset"
)

// These bound the search for misspellings.
const (
	fuzzyLetters  = 10     // aliases shorter than this are compared exactly: two typing errors make anything of "sf"
	fuzzyDistance = 2      // of the whole value: San Fransico
	tailDistance  = 1      // of its last words, where the words before are already odd: Sec 314 San Fransisco
	rememberMax   = 10_000 // remembered spellings; the register has 3,133
)

// cities folds spellings of the spec's cities.
type cities struct {
	names      []dataset.City
	suffixes   []string
	aliases    []alias
	remembered map[string]spelling
}

// alias is one spelling of a city: letters and digits only, in lower case.
type alias struct {
	text      string
	city      int
	direction byte // as of function direction
}

// spelling is what a value was read as. city is -1 for a value that is no
// spelling of a known city.
type spelling struct {
	city   int
	zip    bool   // the value is a zip
	spaced string // the value with spaces for plus signs
}

func newCities(spec dataset.Cities) cities {
	c := cities{names: spec.Names, suffixes: spec.Suffixes, remembered: make(map[string]spelling)}
	for i, city := range spec.Names {
		for _, text := range append([]string{city.Name}, city.Aliases...) {
			words := cityWords(text)
			c.aliases = append(c.aliases, alias{strings.Join(words, ""), i, direction(words)})
		}
	}
	return c
}

// is reports whether s is the name of a city of the spec.
func (c *cities) is(s string) bool {
	return slices.ContainsFunc(c.names, func(city dataset.City) bool { return strings.EqualFold(city.Name, s) })
}

func (c *cities) spell(s string) spelling {
	if known, ok := c.remembered[s]; ok {
		return known
	}
	found := c.lookup(s)
	if len(c.remembered) < rememberMax {
		c.remembered[strings.Clone(s)] = found
	}
	return found
}

// lookup folds a spelling in this order, and only where it is certain:
//
//  1. Case, accents, punctuation and plus signs do not count; nor do a zip or the spec's suffixes at the end.
//  2. The value is an alias.
//  3. The value is at most two typing errors (Damerau: a letter more, less, other, or two exchanged) from an
//     alias, and closer to it than to any alias of another city.
//  4. Its last words are an alias or one error away, after words that say where in the city (Sec 314, Rm 232).
//
// A compass direction in the value (S, So, South) must be in the alias too.
// This and the comparison in step 3 keep South San Francisco, however it is
// written, from being folded into San Francisco.
func (c *cities) lookup(s string) spelling {
	found := spelling{city: -1, spaced: spaces(s)}
	words := cityWords(s)
	if len(words) == 1 && len(words[0]) == 5 && digits(words[0]) == 5 {
		found.zip = true
		found.city = slices.IndexFunc(c.names, func(city dataset.City) bool {
			return slices.ContainsFunc(city.Zips, func(z string) bool { return strings.HasPrefix(words[0], z) })
		})
		return found
	}
	for len(words) > 1 {
		last := words[len(words)-1]
		if !slices.Contains(c.suffixes, last) && (len(last) != 5 || digits(last) != 5) {
			break
		}
		words = words[:len(words)-1]
	}
	toward := direction(words)
	whole := strings.Join(words, "")
	for _, a := range c.aliases {
		if a.text == whole && a.direction == toward {
			found.city = a.city
			return found
		}
	}
	if city, ok := c.nearest(whole, toward, fuzzyDistance); ok {
		found.city = city
		return found
	}
	for first := 1; first < len(words); first++ {
		// One or two letters before the city's name may be an unknown
		// abbreviation of a direction.
		if first == 1 && len(words[0]) <= 2 && !strings.ContainsAny(words[0], "0123456789") {
			continue
		}
		if city, ok := c.nearest(strings.Join(words[first:], ""), toward, tailDistance); ok {
			found.city = city
			return found
		}
	}
	return found
}

// nearest returns the city with a long alias at most limit errors from s, if
// that alias is nearer to s than every alias of the other cities.
func (c *cities) nearest(s string, toward byte, limit int) (int, bool) {
	if strings.ContainsAny(s, "0123456789") {
		return -1, false
	}
	best, city := limit+1, -1
	for _, a := range c.aliases {
		if len(a.text) < fuzzyLetters || a.direction != toward {
			continue
		}
		if d := distance(s, a.text, limit); d < best {
			best, city = d, a.city
		}
	}
	if city < 0 {
		return -1, false
	}
	for _, a := range c.aliases {
		if a.city != city && len(a.text) >= fuzzyLetters && distance(s, a.text, best) <= best {
			return -1, false
		}
	}
	return city, true
}

// cityWords splits a value into lower-case words of letters and digits. A zero
// within a word of letters is read as the letter o, its neighbor on the
// keyboard.
func cityWords(s string) []string {
	words := strings.FieldsFunc(fold(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	for i, w := range words {
		if w != "" && unicode.IsLetter(rune(w[0])) && strings.Trim(w, "abcdefghijklmnopqrstuvwxyz0") == "" {
			words[i] = strings.ReplaceAll(w, "0", "o")
		}
	}
	return words
}

// direction returns the compass direction among the words: 0 for none, x for
// several or for words like "near", and ? for what may be a misspelled south.
// No alias has ?, so such a value is not folded.
func direction(words []string) byte {
	var found byte
	for _, w := range words {
		var d byte
		switch w {
		case "s", "so", "sou", "south", "sth":
			d = 's'
		case "n", "no", "north", "nth":
			d = 'n'
		case "e", "east":
			d = 'e'
		case "w", "west":
			d = 'w'
		case "of", "near", "outside":
			d = 'x'
		default:
			if len(w) < 3 || distance(w, "south", 2) > 2 {
				continue
			}
			d = '?'
		}
		if found != 0 && found != d {
			return 'x'
		}
		found = d
	}
	return found
}

// spaces replaces plus signs between words by spaces and capitalizes the words:
// portals turned San Jose into San+jose.
func spaces(s string) string {
	if !strings.Contains(s, "+") {
		return s
	}
	words := strings.FieldsFunc(s, func(r rune) bool { return r == '+' || r == ' ' })
	for i, w := range words {
		if w[0] >= 'a' && w[0] <= 'z' {
			words[i] = string(w[0]-'a'+'A') + w[1:]
		}
	}
	return strings.Join(words, " ")
}

// distance counts the typing errors between a and b (optimal string alignment);
// above limit it may return any number above limit.
func distance(a, b string, limit int) int {
	const most = 64 // bytes; no alias is longer, and longer values are further than any limit
	if len(a)-len(b) > limit || len(b)-len(a) > limit || len(a) >= most || len(b) >= most {
		return limit + 1
	}
	var rows [3][most]int
	before, last, row := &rows[0], &rows[1], &rows[2]
	for j := 0; j <= len(b); j++ {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		smallest := i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			d := min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d = min(d, before[j-2]+1)
			}
			row[j] = d
			smallest = min(smallest, d)
		}
		if smallest > limit {
			return limit + 1
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}

func (c *Cleaner) cleanCity(f *field, s string) string {
	if len(c.cities.names) > 0 && s == c.cities.names[0].Name {
		return s
	}
	if isPlaceholder(s) {
		c.raise(f, placeholder)
		return ""
	}
	found := c.cities.spell(s)
	if found.zip {
		c.raise(f, isZip)
	}
	switch {
	case found.city >= 0 && s != c.cities.names[found.city].Name:
		if !found.zip {
			c.raise(f, folded)
		}
		return c.cities.names[found.city].Name
	case found.zip:
		return ""
	case found.spaced != s:
		c.raise(f, plusSigns)
	}
	if found.spaced == "" {
		return s
	}
	return found.spaced
}
