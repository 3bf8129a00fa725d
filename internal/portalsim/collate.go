package portalsim

// Dictionary is an Options.Collate: the order of dictionaries and of many
// databases' locales. Letters come before digits, upper and lower case count
// alike, and punctuation counts only between texts that are otherwise the same.
func Dictionary(a, b string) int {
	i, j := 0, 0
	for {
		x, nextX := weight(a, i)
		y, nextY := weight(b, j)
		if x != y || x == 0 {
			return x - y
		}
		i, j = nextX, nextY
	}
}

// weight returns the weight of the first letter or digit of s from i on, and
// the position behind it. The weight is 0 when there is none.
func weight(s string, i int) (w, next int) {
	for ; i < len(s); i++ {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z':
			return int(c-'a') + 1, i + 1
		case c >= 'A' && c <= 'Z':
			return int(c-'A') + 1, i + 1
		case c >= 0x80: // behind the letters of ASCII, before the digits
			return int(c), i + 1
		case c >= '0' && c <= '9':
			return 0x100 + int(c), i + 1
		}
	}
	return 0, i
}
