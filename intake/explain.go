package intake

import (
	"context"
	"errors"

	"github.com/postroom/postroom/importer"
)

// ErrNotATable is returned for a file that is explained and has no columns.
var ErrNotATable = errors.New("this is a calendar, and has no columns to explain: docs/calendars.md says how events are read")

// Explain says how a file would be read, column by column, and stores and reports
// nothing. See [importer.Explain]; the error may be [ErrNotATable].
func Explain(ctx context.Context, req Request) (*importer.Explanation, error) {
	_, name, file, size, err := unpack(req.Name, req.File, req.Size)
	if ps := unusable(err); ps != nil {
		return &importer.Explanation{File: req.Name, Problems: ps, Unusable: true}, nil
	}
	if err != nil {
		return nil, err
	}
	format, err := formatOf(ctx, name, file, size)
	if err != nil {
		return nil, err
	}
	if format == formatICal {
		return nil, ErrNotATable
	}
	as := readAsOf(&req, format)
	opt, err := as.options(req.Name)
	if err != nil {
		return nil, err
	}
	if format == formatXLSX {
		return importer.ExplainWorkbook(ctx, file, size, opt)
	}
	return importer.Explain(ctx, file, size, opt)
}
