package store

import (
	"context"
	"encoding/json"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"github.com/postroom/postroom/post"
)

// NewID gives out an id for something that is made one by one.
func (s *Store) NewID() post.ID { return s.ids.next(s.now(), 0) }

// AddJob stores a new job, and the answer to whom asked for it, in one step. The
// error wraps post.ErrDuplicate when there is an answer already.
func (s *Store) AddJob(ctx context.Context, j post.Job, once *post.Once) error {
	if err := s.register(ctx, j.Account, nil); err != nil {
		return err
	}
	account, _ := s.names.accountNumber(j.Account)
	return s.update(ctx, func(c *change) error {
		if err := s.room(c.Tx); err != nil {
			return err
		}
		if err := c.once(account, once, nil); err != nil {
			return err
		}
		return putJob(c.Tx, j)
	})
}

// PutJob stores how far a job is.
func (s *Store) PutJob(ctx context.Context, j post.Job) error {
	return s.update(ctx, func(c *change) error { return putJob(c.Tx, j) })
}

// putJob writes a job, and keeps those that are not over findable.
func putJob(tx *bolt.Tx, j post.Job) error {
	b, err := json.Marshal(j)
	if err != nil {
		return err
	}
	open := tx.Bucket(bucketOpenJobs)
	if j.Status == post.JobFinished || j.Status == post.JobFailed {
		err = open.Delete(j.ID[:])
	} else {
		err = open.Put(j.ID[:], nil)
	}
	if err != nil {
		return err
	}
	return tx.Bucket(bucketJobs).Put(j.ID[:], b)
}

func getJob(tx *bolt.Tx, id post.ID) (j post.Job, err error) {
	v := tx.Bucket(bucketJobs).Get(id[:])
	if v == nil {
		return j, fmt.Errorf("job %s: %w", id, post.ErrNotFound)
	}
	if err := json.Unmarshal(v, &j); err != nil {
		return j, fmt.Errorf("job %s: %w: %v", id, errRecord, err)
	}
	return j, nil
}

// Job returns a job.
func (s *Store) Job(ctx context.Context, id post.ID) (j post.Job, err error) {
	err = s.view(ctx, func(tx *bolt.Tx) error {
		j, err = getJob(tx, id)
		return err
	})
	return j, err
}

// OpenJobs returns the jobs that are not over, the oldest first.
func (s *Store) OpenJobs(ctx context.Context) (jobs []post.Job, err error) {
	err = s.view(ctx, func(tx *bolt.Tx) error {
		return tx.Bucket(bucketOpenJobs).ForEach(func(k, _ []byte) error {
			j, err := getJob(tx, post.ID(k))
			jobs = append(jobs, j)
			return err
		})
	})
	return jobs, err
}
