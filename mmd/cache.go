package mmd

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"unicode/utf8"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/cache"
)

// TokenCache keeps what MSAL knows of a user in a file, for its owner only, sealed
// with AES-256-GCM under a key that the operator gives. The file begins with its
// version; another key, or a file that was changed, is an error, and changes nothing.
type TokenCache struct {
	// Path is the file. Its folder must be there.
	Path string
	// Key is a random text of 16 characters or more. The file's own key is derived from
	// it by HKDF, which is for random texts: it slows nobody down who guesses words.
	Key string

	mu sync.Mutex
	// forget drops access tokens when the cache is read next: the server refused them.
	forget bool
	// known is the salt of the file as it was read or written last: each writing draws one.
	known [saltSize]byte
}

const (
	cacheHeader = "bridge token cache 1\n"
	saltSize    = 16
	leastKey    = 16
)

// ErrTokenCache says that the token cache cannot be used.
var ErrTokenCache = errors.New("the token cache cannot be used")

// check refuses a key that could be guessed, and a file that cannot be used, before
// anybody is asked to sign in for it.
func (c *TokenCache) check() error {
	if utf8.RuneCountInString(c.Key) < leastKey {
		return fmt.Errorf("%w: its key has fewer than %d characters", ErrTokenCache, leastKey)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := c.read()
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := os.Stat(filepath.Dir(c.Path)); err != nil {
		return fmt.Errorf("%w: its folder: %w", ErrTokenCache, err)
	}
	return nil // nobody has signed in yet
}

// moved says whether another process has written the file since it was read here.
func (c *TokenCache) moved() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := c.known
	_, err := c.read()
	return err == nil && c.known != was
}

// Replace gives MSAL what the file holds.
func (c *TokenCache) Replace(_ context.Context, into cache.Unmarshaler, _ cache.ReplaceHints) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	data, err := c.read()
	if errors.Is(err, fs.ErrNotExist) {
		// Nobody has signed in yet; or the file was removed, and MSAL is to forget as well.
		return into.Unmarshal([]byte("{}"))
	}
	if err != nil {
		return err
	}
	if c.forget {
		if data, err = withoutAccess(data); err != nil {
			return err
		}
	}
	return into.Unmarshal(data)
}

// Export keeps what MSAL knows.
func (c *TokenCache) Export(_ context.Context, from cache.Marshaler, _ cache.ExportHints) error {
	data, err := from.Marshal()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrTokenCache, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget = false
	return c.write(data)
}

// Forget has access tokens fetched anew; what they are fetched with is kept.
func (c *TokenCache) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget = true
}

// withoutAccess leaves the access tokens out.
func withoutAccess(data []byte) ([]byte, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, fmt.Errorf("%w: what it holds is not what was kept", ErrTokenCache)
	}
	delete(all, "AccessToken")
	return json.Marshal(all)
}

// seal makes the cipher of one file from the operator's key and the file's salt.
func (c *TokenCache) seal(salt []byte) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, []byte(c.Key), salt, cacheHeader, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// read opens the file.
func (c *TokenCache) read() ([]byte, error) {
	info, err := os.Stat(c.Path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTokenCache, err)
	}
	if others := info.Mode().Perm() & 0o077; others != 0 {
		return nil, fmt.Errorf("%w: %s can be read by others (mode %#o): chmod 600", ErrTokenCache, c.Path, info.Mode().Perm())
	}
	content, err := os.ReadFile(c.Path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTokenCache, err)
	}
	if len(content) < len(cacheHeader)+saltSize || string(content[:len(cacheHeader)]) != cacheHeader {
		return nil, fmt.Errorf("%w: %s is no token cache of this version", ErrTokenCache, c.Path)
	}
	rest := content[len(cacheHeader):]
	aead, err := c.seal(rest[:saltSize])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTokenCache, err)
	}
	data, err := aead.Open(nil, nil, rest[saltSize:], []byte(cacheHeader))
	if err != nil {
		return nil, fmt.Errorf("%w: %s was made with another key, or was changed; it is left as it is: with its key lost, remove it and bridge login", ErrTokenCache, c.Path)
	}
	c.known = [saltSize]byte(rest)
	return data, nil
}

// write replaces the file as a whole: whoever reads it sees the old one or the new.
func (c *TokenCache) write(data []byte) error {
	salt := make([]byte, saltSize)
	rand.Read(salt)
	aead, err := c.seal(salt)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrTokenCache, err)
	}
	content := append([]byte(cacheHeader), salt...)
	content = append(content, aead.Seal(nil, nil, data, []byte(cacheHeader))...) //nolint:gosec // it draws a nonce for each
	file, err := os.CreateTemp(filepath.Dir(c.Path), ".token-cache-*")           // mode 0600
	if err != nil {
		return fmt.Errorf("%w: %w", ErrTokenCache, err)
	}
	_, err = file.Write(content)
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), c.Path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("%w: %w", ErrTokenCache, err), os.Remove(file.Name()))
	}
	c.known = [saltSize]byte(salt)
	return c.lasting()
}

// lasting has the folder keep the file's new name: what it replaced may be good no
// more. Some file systems keep it by themselves, and refuse to be asked.
func (c *TokenCache) lasting() error {
	dir, err := os.Open(filepath.Dir(c.Path))
	if err == nil {
		err = errors.Join(dir.Sync(), dir.Close())
	}
	if err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, errors.ErrUnsupported) {
		return fmt.Errorf("%w: keep its folder: %w", ErrTokenCache, err)
	}
	return nil
}
