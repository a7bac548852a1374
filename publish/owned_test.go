package publish

import (
	"strconv"
	"testing"
)

func TestOwnedTellsEqualPostsApart(t *testing.T) {
	t.Parallel()
	var o Owned
	if o.ByAnother("1", "a") {
		t.Error("what nobody made is somebody's")
	}
	o.Add("1", "a")
	o.Add("1", "a")
	if o.ByAnother("1", "a") || !o.ByAnother("1", "b") {
		t.Error("1 is not a's alone")
	}
	for i := range mostOwned {
		o.Add("n"+strconv.Itoa(i), "c")
	}
	if o.ByAnother("1", "b") || !o.ByAnother("n0", "b") {
		t.Error("the oldest is not what is forgotten")
	}
}
