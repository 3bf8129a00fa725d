package cleaning

import (
	"fmt"
	"strings"
	"unicode"
)

const softHyphen = 0xad

// isHidden reports whether a character shows nothing itself: signs of no width,
// those that turn the direction of the text after them, fillers. With them, two
// names can look the same, or a name read otherwise than it is written.
func isHidden(r rune) bool {
	switch {
	case r < softHyphen:
		return false
	// A joiner, the Arabic mark, and fillers.
	case r == softHyphen, r == 0x34f, r == 0x61c, r == 0x115f, r == 0x1160, r == 0x2800, r == 0x3164, r == 0xffa0:
		return true
	}
	return r >= 0x180b && unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Prepended_Concatenation_Mark, r)
}

// Visible returns a text as people may be shown it: each hidden character, and
// each control character but tabs and line ends, as its number (‹U+202E›). So
// nothing in it can turn the text around it, or send commands to a terminal.
func Visible(s string) string {
	if !strings.ContainsFunc(s, isUnseen) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if isUnseen(r) {
			fmt.Fprintf(&b, "‹U+%04X›", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func isUnseen(r rune) bool {
	return isHidden(r) || unicode.IsControl(r) && r != '\t' && r != '\n' && r != '\r'
}
