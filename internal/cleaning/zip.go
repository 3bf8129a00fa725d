package cleaning

import (
	"strings"
	"unicode"
)

// cleanZip keeps five digits of a zip; what follows them stays in source. Zips
// are text: as numbers a quarter of them would be damaged.
func (c *Cleaner) cleanZip(f *field, s string) string {
	n := digits(s)
	switch rest := s[n:]; {
	case n == 5 && rest == "":
	case n == 9 && rest == "", n == 5 && rest[0] == '-' && len(rest) <= 5 && digits(rest[1:]) == len(rest)-1:
		c.raise(f, plusFour)
		s = s[:5]
	case isPlaceholder(s):
		c.raise(f, placeholder)
		return ""
	case strings.ContainsFunc(s, unicode.IsLetter):
		c.raise(f, foreign)
		return s
	default:
		c.raise(f, invalid)
		return s
	}
	if s == "00000" || s == "99999" {
		c.raise(f, placeholder)
		return ""
	}
	return s
}

// digits returns how many digits s begins with.
func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}
