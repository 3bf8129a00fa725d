package dataset

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestCanonical(t *testing.T) {
	for want, texts := range map[string][]string{
		"3":                              {"3", "3.0", "3.00000000", " 3 ", "+3", "03", "3E0", "0.3e1", "300e-2", "3."},
		"-3.5":                           {"-3.5", "-3.50", "-0.35E+1", "-003.5"},
		"0":                              {"0", "-0", "0.000", ".0", "0E7"},
		"120":                            {"120", "1.2E2", "12e1"},
		"0.05":                           {".05", "0.050", "5E-2"},
		"1000010100":                     {"1000010100.00000000", "1.0000101E9"},
		"0.000000000000000000005302":     {"5.302E-21"},
		"123456789012345678901234567890": {"123456789012345678901234567890.0"},
		"1E300":                          {"1e300", "10E299"},
		"1E-300":                         {"1e-300", "0.1E-299"},
		"x":                              {"x"}, "": {""}, "1_0": {"1_0"}, "0x10": {"0x10"}, "NaN": {"NaN"}, "1e": {"1e"}, "1e9999999": {"1e9999999"}, ".": {"."}, "1 2": {"1 2"},
	} {
		for _, text := range texts {
			assert.Equal(t, want, Number.Canonical(text), text)
		}
	}
	assert.Equal(t, "true", Bool.Canonical("TRUE"))
	assert.Equal(t, "yes", Bool.Canonical("yes"))
	assert.Equal(t, "3.0", Text.Canonical("3.0"))

	assert.Equal(t, Number, Field{Type: Number}.GroupedAs())
	assert.Equal(t, Text, Field{Type: Text}.GroupedAs())
	assert.Equal(t, Number, Field{Type: Text, PortalTypes: []string{"text", "number"}}.GroupedAs())
	assert.Equal(t, Bool, Field{Type: Bool}.GroupedAs())
}
