package crawl_test

import (
	"testing"

	"padron/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }
