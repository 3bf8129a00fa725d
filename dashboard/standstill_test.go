package dashboard_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"padron/dashboard"
)

// A mirror of a portal that publishes nothing is green and old: the first page
// says so, in every language.
func TestTheFirstPageSaysThatThePortalStandsStill(t *testing.T) {
	s := newStack(t, 300)
	s.load()
	require.NotContains(t, s.ok("/en/").body, "stands still")
	s.server = s.serve(func(o *dashboard.Options) {
		spec := *o.Spec
		spec.Schedule.Standstill = time.Second
		o.Spec = &spec
	})
	_, served := s.portal.Versions()
	for lang, text := range map[string]string{
		"en": "The portal itself stands still: it has published nothing since",
		"es": "El propio portal está parado: no ha publicado nada desde",
	} {
		a := s.ok("/" + lang + "/")
		require.Contains(t, a.body, text+` <time datetime="`+served.UTC().Format(time.RFC3339))
		requireGoodPage(t, lang, "/"+lang+"/", a.body)
	}
}
