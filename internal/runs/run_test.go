package runs

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"padron/internal/certificate"
)

func TestSharedKeys(t *testing.T) {
	run := Run{ID: "r1"}
	assert.Empty(t, run.SharedKeys("ttxid"))
	run.Crawl = certificate.Crawl{SharedKeys: 1}
	assert.Contains(t, run.SharedKeys("ttxid"), "ttxid is not unique: 1 row has the ttxid of another row and can be no document (`starter quarantine list --run r1`)")
	run.Crawl.SharedKeys = 1234
	assert.Contains(t, run.SharedKeys("ttxid"), "1,234 rows have the ttxid of another row")
}
