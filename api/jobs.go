package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/postroom/postroom/post"
)

const (
	defaultUpload = 64 << 20
	uploadWait    = 10 * time.Minute // for the whole of an upload, or of its results
	mostProblems  = 200              // in an answer
	mostRowBytes  = 64 << 20         // of rows as JSON, which are read into memory
	mostCells     = 8 << 20          // of the table that they make
)

// jobBody answers what is asked of a job.
type jobBody struct {
	Success bool     `json:"success"`
	Job     shownJob `json:"job"`
}

type shownJob struct {
	ID         post.ID        `json:"_id"`
	Name       string         `json:"name"`
	DryRun     bool           `json:"dryRun"`
	Status     post.JobStatus `json:"status"`
	CreatedAt  stamp          `json:"createdAt"`
	FinishedAt stamp          `json:"finishedAt,omitzero"`
	Error      string         `json:"error,omitempty"`
	Outcome    string         `json:"outcome,omitempty"`
	ImportID   post.ID        `json:"importId,omitzero"`
	Counts     *post.Counts   `json:"counts,omitempty"`
	Problems   []post.Problem `json:"problems,omitempty"`
	Omitted    int            `json:"problemsOmitted,omitempty"`
}

func showJob(j *post.Job) jobBody {
	out := shownJob{
		ID: j.ID, Name: j.Name, DryRun: j.DryRun, Status: j.Status, CreatedAt: stamp(j.CreatedAt), FinishedAt: stamp(j.FinishedAt),
		Error: j.Error, Outcome: j.Outcome, ImportID: j.Import, Problems: j.Problems, Omitted: j.Omitted,
	}
	if j.Status == post.JobFinished {
		out.Counts = &j.Counts
	}
	return jobBody{true, out}
}

// bulkImport takes a calendar: a CSV or iCalendar file as the body or in a form,
// or rows as JSON. It answers when the file is on disk and will be taken, whatever
// happens; ?dry_run=true only reads, plans and reports it.
func (a *API) bulkImport(c *call) (any, error) {
	if a.Take == nil {
		return nil, errNotFound("Not found")
	}
	dry, err := c.dry(nil)
	if err != nil {
		return nil, err
	}
	j := post.Job{ID: a.Store.NewID(), Account: c.account.ID, DryRun: dry, Status: post.JobQueued, CreatedAt: c.now.UTC().Truncate(time.Millisecond)}
	dir := filepath.Join(a.Uploads, j.ID.String())
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	stored := false
	defer func() {
		if !stored {
			os.RemoveAll(dir) // what nobody knows of does no harm if it stays
		}
	}()
	allowUpload(c.w, uploadWait)
	sum, err := c.receive(&j, dir, c.params().text("name"))
	if err != nil {
		return nil, err
	}
	return c.once(sum[:], http.StatusAccepted, func(once *post.Once) (any, error) {
		answer := answered{http.StatusAccepted, showJob(&j)}
		if once != nil {
			once.Answer = func(*post.Group) []byte {
				var b bytes.Buffer
				if encodeJSON(&b, answer.body) != nil {
					return nil // a job has a form in JSON
				}
				return b.Bytes()
			}
		}
		if err := a.Store.AddJob(c.Context(), j, once); err != nil {
			return nil, err
		}
		stored = true
		a.wake()
		return answer, nil
	})
}

// receive writes the file of a request into dir, durably, and returns its hash.
func (c *call) receive(j *post.Job, dir, name string) (sum [32]byte, err error) {
	most := c.set.MaxUpload
	if most == 0 {
		most = defaultUpload
	}
	body := io.Reader(http.MaxBytesReader(c.w, c.Body, most))
	kind, par, _ := mime.ParseMediaType(c.Header.Get("Content-Type"))
	switch kind {
	case "multipart/form-data":
		part, err := filePart(multipart.NewReader(body, par["boundary"]))
		if err != nil {
			return sum, err
		}
		body = part
		if name == "" {
			name = part.FileName()
		}
	case "application/json":
		b, err := readAll(http.MaxBytesReader(c.w, c.Body, min(most, mostRowBytes)))
		if err != nil {
			return sum, err
		}
		rows, err := rowsAsCSV(b)
		if err != nil {
			return sum, err
		}
		body = bytes.NewReader(rows)
	}
	if name == "" { // of its own: under one name it would be a revision of what came without a name before
		name = "upload-" + j.ID.String() + ".csv"
		if kind == "text/calendar" {
			name = "upload-" + j.ID.String() + ".ics"
		}
	}
	j.Name = filepath.Base(strings.ReplaceAll(name, `\`, "/"))
	j.File = filepath.Join(filepath.Base(dir), "upload"+safeExt(j.Name))
	f, err := os.OpenFile(filepath.Join(c.api.Uploads, j.File), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return sum, err
	}
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, h), body)
	err = errors.Join(asTooLarge(err, n), f.Sync(), f.Close())
	if err == nil && n == 0 {
		err = &Error{Status: http.StatusBadRequest, Text: "The file is empty", Code: "EMPTY_FILE", Message: "The file is empty: send it as the body, or as the field file of a form"}
	}
	return [32]byte(h.Sum(nil)), err
}

func readAll(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(r)
	return b, asTooLarge(err, int64(len(b)))
}

// asTooLarge tells a body that is too large from one that was cut off.
func asTooLarge(err error, got int64) error {
	large, ok := errors.AsType[*http.MaxBytesError](err)
	switch {
	case ok:
		return &Error{Status: http.StatusRequestEntityTooLarge, Text: "The file is too large", Code: "FILE_TOO_LARGE", Message: fmt.Sprintf("The file is too large: at most %d bytes", large.Limit)}
	case err != nil:
		return &Error{Status: http.StatusBadRequest, Text: "The file did not arrive whole", Code: "FILE_CUT_OFF", Message: fmt.Sprintf("The file did not arrive whole: %d bytes came", got)}
	}
	return nil
}

// safeExt returns the ending of a name, if it is one that can stand in a path.
func safeExt(name string) string {
	ext := strings.ToLower(filepath.Ext(name))
	if len(ext) < 2 || len(ext) > 16 || strings.Trim(ext[1:], "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return ".csv"
	}
	return ext
}

// filePart finds the file of a form.
func filePart(r *multipart.Reader) (*multipart.Part, error) {
	for {
		part, err := r.NextPart()
		if err != nil {
			if _, large := errors.AsType[*http.MaxBytesError](err); large {
				return nil, asTooLarge(err, 0)
			}
			return nil, &Error{Status: http.StatusBadRequest, Text: "The form has no file", Code: "NO_FILE", Message: "The form has no file: send it as the field file, as curl -F file=@plan.csv does"}
		}
		if part.FileName() != "" {
			return part, nil
		}
	}
}

// rowsAsCSV turns rows as JSON, {"rows":[{"content":…}]} or the bare list, into
// the CSV file that says the same.
func rowsAsCSV(b []byte) ([]byte, error) {
	bad := &Error{Status: http.StatusBadRequest, Text: "Rows are required", Code: "INVALID_ROWS", Message: `Rows are required: send {"rows":[{"content":"…","platforms":["mastodon-1"],"scheduled_time":"…"}]}`}
	var in struct {
		Rows []map[string]json.RawMessage `json:"rows"`
	}
	b = bytes.TrimSpace(bytes.TrimPrefix(b, []byte("\ufeff")))
	if !utf8.Valid(b) { // its letters would be published as question marks, as in parseFields
		return nil, errInvalidJSON("Invalid JSON body: it is not UTF-8")
	}
	if len(b) > 0 && b[0] == '[' {
		if json.Unmarshal(b, &in.Rows) != nil {
			return nil, bad
		}
	} else if json.Unmarshal(b, &in) != nil {
		return nil, bad
	}
	if len(in.Rows) == 0 {
		return nil, bad
	}
	names := map[string]bool{}
	for _, row := range in.Rows {
		for name := range row {
			names[name] = true
		}
		if len(names)*len(in.Rows) > mostCells { // each row gets a cell for each name
			return nil, &Error{Status: http.StatusRequestEntityTooLarge, Text: "The rows are too many", Code: "FILE_TOO_LARGE", Message: "The rows are too many, or too different from each other: send them as a CSV file"}
		}
	}
	header := slices.Sorted(maps.Keys(names))
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	w.Write(header) // into memory: it cannot fail
	for _, row := range in.Rows {
		cells := make([]string, len(header))
		for i, name := range header {
			cells[i] = asCell(row[name])
		}
		w.Write(cells)
	}
	w.Flush()
	return out.Bytes(), nil
}

// asCell gives a JSON value as a cell has it: a list is joined by semicolons, an
// object, and whatever lies deeper, stays JSON.
func asCell(v json.RawMessage) string {
	var list []json.RawMessage
	if len(v) == 0 || v[0] != '[' || json.Unmarshal(v, &list) != nil {
		return asPlain(v)
	}
	parts := make([]string, len(list))
	for i := range list {
		parts[i] = asPlain(list[i])
	}
	return strings.Join(parts, ";")
}

func asPlain(v json.RawMessage) string {
	if s, ok := asText(v); ok {
		return s
	}
	if string(v) == "null" {
		return ""
	}
	return string(v)
}

// job finds a job of the caller's account.
func (c *call) job() (post.Job, error) {
	id, err := post.ParseID(c.PathValue("id"))
	if err != nil {
		return post.Job{}, errNotFound("Job not found")
	}
	j, err := c.api.Store.Job(c.Context(), id)
	if errors.Is(err, post.ErrNotFound) || err == nil && j.Account != c.account.ID {
		return j, errNotFound("Job not found")
	}
	return j, err
}

func (a *API) getJob(c *call) (any, error) {
	j, err := c.job()
	if err != nil {
		return nil, err
	}
	return showJob(&j), nil
}

// jobResults answers with the CSV report of a job: each row, and what became of
// it.
func (a *API) jobResults(c *call) (any, error) {
	j, err := c.job()
	if err != nil {
		return nil, err
	}
	if j.Report == "" {
		return nil, &Error{Status: http.StatusNotFound, Text: "The job has no results yet", Code: "NO_RESULTS"}
	}
	f, err := os.Open(j.Report)
	if errors.Is(err, os.ErrNotExist) {
		return nil, &Error{Status: http.StatusNotFound, Text: "The report was removed", Code: "NO_RESULTS"}
	}
	if err != nil {
		return nil, err
	}
	allowAnswer(c.w, uploadWait) // it may be as long as what was uploaded
	return file{f, "text/csv; charset=utf-8"}, nil
}

func (a *API) wake() {
	select {
	case a.queued <- struct{}{}:
	default:
	}
}

// doJobs does the jobs that were asked for, one after another, until ctx ends.
// Those that an earlier process left come first.
func (a *API) doJobs(ctx context.Context) error {
	for {
		jobs, err := a.Store.OpenJobs(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("list jobs: %w", err)
		}
		for i := range jobs {
			if err := a.doJob(ctx, &jobs[i]); err != nil {
				return err
			}
			if ctx.Err() != nil {
				return nil
			}
		}
		if len(jobs) > 0 {
			continue // more may have come meanwhile
		}
		select {
		case <-ctx.Done():
			return nil
		case <-a.queued:
		}
	}
}

// doJob takes the file of one job and records what became of it.
func (a *API) doJob(ctx context.Context, j *post.Job) error {
	j.Status = post.JobRunning
	if err := a.Store.PutJob(ctx, *j); err != nil {
		return unlessOver(ctx, fmt.Errorf("begin job %s: %w", j.ID, err))
	}
	path := filepath.Join(a.Uploads, j.File)
	err := a.Take(ctx, path, j)
	if err != nil && ctx.Err() != nil {
		return nil // the next start takes it again
	}
	j.Status, j.FinishedAt = post.JobFinished, a.Now().UTC().Truncate(time.Millisecond)
	if err != nil {
		a.Log.ErrorContext(ctx, "job failed", "job", j.ID, "account", j.Account, "err", err)
		j.Status, j.Error = post.JobFailed, "The file could not be taken: the log of postroom says why"
		if e, ok := errors.AsType[*Error](err); ok {
			j.Error = e.Text
		}
	}
	if len(j.Problems) > mostProblems {
		j.Omitted += len(j.Problems) - mostProblems
		j.Problems = j.Problems[:mostProblems]
	}
	if err := a.Store.PutJob(context.WithoutCancel(ctx), *j); err != nil {
		return fmt.Errorf("end job %s: %w", j.ID, err)
	}
	if err := os.RemoveAll(filepath.Dir(path)); err != nil {
		a.Log.WarnContext(ctx, "upload not removed", "job", j.ID, "err", err)
	}
	return nil
}

func unlessOver(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
