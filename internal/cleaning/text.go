package cleaning

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// squeeze trims white space and replaces every run of it by one space. Control
// characters and hidden ones (isHidden) count as white space, but a soft hyphen,
// which is part of its word.
func squeeze(s string) string {
	if squeezed(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for _, r := range s {
		switch {
		case !isBlank(r):
			b.WriteRune(r)
		case b.Len() > 0 && b.String()[b.Len()-1] != ' ':
			b.WriteByte(' ')
		}
	}
	return strings.TrimSuffix(b.String(), " ")
}

// squeezed reports whether squeeze would return s unchanged.
func squeezed(s string) bool {
	space := true
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= utf8.RuneSelf:
			return !strings.ContainsFunc(s, func(r rune) bool { return r != ' ' && isBlank(r) }) &&
				!strings.Contains(s, "  ") && s == strings.Trim(s, " ")
		case c == ' ' && space, c < ' ', c == 0x7f:
			return false
		default:
			space = c == ' '
		}
	}
	return !space || s == ""
}

func isBlank(r rune) bool {
	return r <= ' ' || unicode.IsSpace(r) || unicode.IsControl(r) || isHidden(r) && r != softHyphen
}

// isPlaceholder reports whether s is a text that people and programs enter
// where they have no value.
func isPlaceholder(s string) bool {
	if s == "" || len(s) > len("not applicable") {
		return s == ""
	}
	// Most texts begin with another letter than any of them.
	if first := s[0] | 0x20; first >= 'a' && first <= 'z' && first != 'n' && first != 'u' && first != 't' || s[0] >= '0' && s[0] <= '9' {
		return false
	}
	switch strings.ToLower(s) {
	case "n/a", "na", "n.a.", "n a", "n\\a", "none", "null", "nil", "unknown", "not applicable", "tbd":
		return true
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) })
}

// cleanName handles names of owners and businesses.
func (c *Cleaner) cleanName(f *field, s string) string {
	if cut := strings.TrimRight(s, "# "); len(cut) < len(s) && cut != "" {
		c.raise(f, trailingHash)
		s = cut
	}
	if isPlaceholder(s) || c.cities.is(s) {
		c.raise(f, placeholder)
		return ""
	}
	return s
}

// cleanAddress handles street and mailing addresses: "0000 Undeliverable Mail",
// "9999 Undeliverable St".
func (c *Cleaner) cleanAddress(f *field, s string) string {
	switch {
	case containsFold(s, "undeliverable"):
		c.raise(f, undeliverable)
		return ""
	case isPlaceholder(s):
		c.raise(f, placeholder)
		return ""
	}
	return s
}

// containsFold reports whether s contains the lower-case ASCII word, in any
// case.
func containsFold(s, word string) bool {
	for i := 0; i+len(word) <= len(s); i++ {
		if s[i]|0x20 == word[0] && strings.EqualFold(s[i:i+len(word)], word) {
			return true
		}
	}
	return false
}
