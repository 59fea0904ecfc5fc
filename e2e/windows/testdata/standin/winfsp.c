/*
 * A stand-in for WinFsp's DLL, for tests under Wine, where no driver can run.
 * It has the functions that Vitrine calls, lays out nothing but what those
 * need, and makes the requests that the driver would make, from a script:
 *
 *   VITRINE_STANDIN          the script; what happens goes to the same name + ".log"
 *   VITRINE_STANDIN_VERSION  what FspVersion says, in hexadecimal (20001: 2.1)
 *   VITRINE_STANDIN_DRIVER   what FspFsctlPreflight says, in hexadecimal (0: runs)
 *   VITRINE_STANDIN_REFUSE   set: mounting fails
 *
 * The script has one request a line: statfs; stat, path, list, tree, change and
 * PATH. After its last line the mount waits until it is told to end.
 *
 * The layouts are those of FUSE 2.8 with WinFsp's additions, on x64.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

#define EXPORT __declspec(dllexport)

enum { CAPABLE = 1 << 29 | 1 << 21 | 1 << 22 | 1 << 23 | 1 << 24 };
enum { S_IFMT_ = 0170000, S_IFDIR_ = 0040000, S_IFLNK_ = 0120000, W_OK_ = 2, DELETE_OK = 0x40000000 };

struct timespec_ { int64_t sec, nsec; };
struct stat_ {
	uint32_t dev; uint64_t ino; uint32_t mode; uint16_t nlink; uint32_t uid, gid, rdev;
	int64_t size; struct timespec_ atime, mtime, ctime; int32_t blksize; int64_t blocks;
	struct timespec_ birth; uint32_t flags, reserved32[3]; uint64_t reserved64[2];
};
struct statvfs_ { uint64_t bsize, frsize, blocks, bfree, bavail, files, ffree, favail, fsid, flag, namemax; };
struct conn_ { uint32_t major, minor, async_read, max_write, max_readahead, capable, want, reserved[25]; };
struct file_ { int32_t flags; uint32_t fh_old; int32_t writepage; uint32_t bits; uint64_t fh, lock_owner; };
struct context_ { void *fuse; uint32_t uid, gid; int32_t pid; void *private_data; uint32_t umask; };
typedef int fill_(void *buf, const char *name, const struct stat_ *st, int64_t off);

struct ops_ {
	int (*getattr)(const char *, struct stat_ *);
	void *getdir;
	int (*readlink)(const char *, char *, size_t);
	int (*mknod)(const char *, uint32_t, uint32_t);
	int (*mkdir)(const char *, uint32_t);
	int (*unlink)(const char *);
	int (*rmdir)(const char *);
	int (*symlink)(const char *, const char *);
	int (*rename)(const char *, const char *);
	int (*link)(const char *, const char *);
	int (*chmod)(const char *, uint32_t);
	int (*chown)(const char *, uint32_t, uint32_t);
	int (*truncate)(const char *, int64_t);
	void *utime;
	int (*open)(const char *, struct file_ *);
	int (*read)(const char *, char *, size_t, int64_t, struct file_ *);
	int (*write)(const char *, const char *, size_t, int64_t, struct file_ *);
	int (*statfs)(const char *, struct statvfs_ *);
	int (*flush)(const char *, struct file_ *);
	int (*release)(const char *, struct file_ *);
	int (*fsync)(const char *, int, struct file_ *);
	int (*setxattr)(const char *, const char *, const char *, size_t, int);
	int (*getxattr)(const char *, const char *, char *, size_t);
	int (*listxattr)(const char *, char *, size_t);
	int (*removexattr)(const char *, const char *);
	int (*opendir)(const char *, struct file_ *);
	int (*readdir)(const char *, void *, fill_ *, int64_t, struct file_ *);
	int (*releasedir)(const char *, struct file_ *);
	int (*fsyncdir)(const char *, int, struct file_ *);
	void *(*init)(struct conn_ *);
	void (*destroy)(void *);
	int (*access)(const char *, int);
	int (*create)(const char *, uint32_t, struct file_ *);
	int (*ftruncate)(const char *, int64_t, struct file_ *);
	int (*fgetattr)(const char *, struct stat_ *, struct file_ *);
	void *lock;
	int (*utimens)(const char *, const struct timespec_[2]);
	void *bmap;
	uint32_t flags;
	void *ioctl, *poll, *write_buf, *read_buf, *flock, *fallocate;
	int (*getpath)(const char *, char *, size_t, struct file_ *);
	void *reserved01, *reserved02, *statfs_x, *setvolname, *exchange, *getxtimes, *setbkuptime;
	int (*setchgtime)(const char *, const struct timespec_ *);
	int (*setcrtime)(const char *, const struct timespec_ *);
	int (*chflags)(const char *, uint32_t);
};

static struct ops_ ops;
static struct context_ context;
static HANDLE ended;
static FILE *out;

/* hexadecimal value of an environment variable. */
static uint32_t setting(const char *name, uint32_t otherwise)
{
	const char *v = getenv(name);
	return v ? strtoul(v, NULL, 16) : otherwise;
}

EXPORT int32_t FspVersion(uint32_t *version)
{
	*version = setting("VITRINE_STANDIN_VERSION", 0x20001);
	return 0;
}

EXPORT int32_t FspFsctlPreflight(const wchar_t *device)
{
	if (wcscmp(device, L"WinFsp.Disk") != 0)
		return 0xC0000033; /* no such name */
	return setting("VITRINE_STANDIN_DRIVER", 0);
}

EXPORT struct context_ *fuse_get_context(void) { return &context; }
EXPORT void fuse_exit(void *fuse) { SetEvent(ended); }
EXPORT int fuse_opt_parse(void *args, void *data, const void *opts, void *proc) { return -1; }
EXPORT void fuse_opt_free_args(void *args) {}

static const char *kind(uint32_t mode)
{
	switch (mode & S_IFMT_) {
	case S_IFDIR_: return "dir";
	case S_IFLNK_: return "link";
	}
	return "file";
}

static void print_stat(const struct stat_ *s)
{
	fprintf(out, "%s mode=%o size=%lld flags=%x birth=%lld.%09lld modified=%lld.%09lld changed=%lld.%09lld uid=%d", kind(s->mode),
		s->mode & 07777, s->size, s->flags, s->birth.sec, s->birth.nsec, s->mtime.sec, s->mtime.nsec, s->ctime.sec, s->ctime.nsec, (int)s->uid);
}

static void do_stat(const char *path)
{
	struct stat_ s;
	memset(&s, 0, sizeof s);
	int r = ops.getattr(path, &s);
	fprintf(out, "stat %s: ", path);
	if (r == 0)
		print_stat(&s);
	else
		fprintf(out, "%d", r);
	fprintf(out, "\n");
}

static void do_path(const char *path)
{
	char real[4096] = "";
	int r = ops.getpath(path, real, sizeof real, NULL);
	fprintf(out, "path %s: %d %s\n", path, r, real);
}

static void do_statfs(void)
{
	struct statvfs_ s;
	memset(&s, 0, sizeof s);
	int r = ops.statfs("/", &s);
	fprintf(out, "statfs: %d block=%llu blocks=%llu free=%llu name=%llu\n", r, s.frsize, s.blocks, s.bfree, s.namemax);
}

/* A folder's entries, as they come in. */
struct list { char **names; struct stat_ *stats; int n; };

static int take(void *buf, const char *name, const struct stat_ *st, int64_t off)
{
	struct list *l = buf;
	l->names = realloc(l->names, (l->n + 1) * sizeof *l->names);
	l->stats = realloc(l->stats, (l->n + 1) * sizeof *l->stats);
	l->names[l->n] = strdup(name);
	if (st)
		l->stats[l->n] = *st;
	else
		memset(&l->stats[l->n], 0, sizeof *l->stats);
	l->n++;
	return 0;
}

static int read_folder(const char *path, struct list *l)
{
	struct file_ f;
	memset(&f, 0, sizeof f);
	memset(l, 0, sizeof *l);
	int r = ops.opendir(path, &f);
	if (r != 0)
		return r;
	r = ops.readdir(path, l, take, 0, &f);
	ops.releasedir(path, &f);
	return r;
}

static void do_list(const char *path)
{
	struct list l;
	int r = read_folder(path, &l);
	fprintf(out, "list %s: %d", path, r);
	for (int i = 0; i < l.n; i++)
		fprintf(out, " |%s", l.names[i]);
	fprintf(out, "\n");
}

/* Reading with several threads, as the driver's dispatchers do. */
enum { THREADS = 8, PIECE = 256 << 10 };

struct piece { const char *path; struct file_ *f; char *buf; int64_t off; int n; };

static DWORD WINAPI read_piece(void *arg)
{
	struct piece *p = arg;
	p->n = ops.read(p->path, p->buf, PIECE, p->off, p->f);
	return 0;
}

/* FNV-1a of a whole file; a negative error in *r. */
static uint64_t hash(const char *path, int64_t size, int *r)
{
	static char buf[THREADS][PIECE];
	uint64_t h = 14695981039346656037ull;
	struct file_ f;
	memset(&f, 0, sizeof f);
	if ((*r = ops.open(path, &f)) != 0)
		return 0;
	int more = 1, n = size / PIECE < THREADS ? size / PIECE + 1 : THREADS;
	for (int64_t off = 0; more; off += n * PIECE) {
		struct piece p[THREADS];
		HANDLE t[THREADS];
		for (int i = 0; i < n; i++) {
			p[i] = (struct piece){path, &f, buf[i], off + i * (int64_t)PIECE, 0};
			t[i] = CreateThread(NULL, 0, read_piece, &p[i], 0, NULL);
		}
		WaitForMultipleObjects(n, t, TRUE, INFINITE);
		for (int i = 0; i < n; i++) {
			CloseHandle(t[i]);
			if (p[i].n < 0)
				*r = p[i].n;
			for (int j = 0; j < p[i].n; j++)
				h = (h ^ (unsigned char)buf[i][j]) * 1099511628211ull;
			more = p[i].n == PIECE;
		}
		more = more && *r == 0;
	}
	ops.flush(path, &f);
	ops.release(path, &f);
	return h;
}

static void do_tree(const char *path)
{
	struct list l;
	int r = read_folder(path, &l);
	if (r != 0)
		fprintf(out, "tree %s: %d\n", path, r);
	for (int i = 0; i < l.n; i++) {
		char below[4096];
		if (strcmp(l.names[i], ".") == 0 || strcmp(l.names[i], "..") == 0)
			continue;
		snprintf(below, sizeof below, "%s/%s", strcmp(path, "/") ? path : "", l.names[i]);
		const char *k = kind(l.stats[i].mode);
		if (strcmp(k, "file") == 0) {
			uint64_t h = hash(below, l.stats[i].size, &r);
			fprintf(out, "file\t%s\t%d\t%lld\t%016llx\n", below, r, l.stats[i].size, h);
		} else if (strcmp(k, "link") == 0) {
			char target[4096] = "";
			r = ops.readlink(below, target, sizeof target);
			fprintf(out, "link\t%s\t%d\t%s\n", below, r, target);
		} else {
			fprintf(out, "dir\t%s\n", below);
			do_tree(below);
		}
	}
}

/* Everything that changes something; what WinFsp asks first is asked first. */
static void do_change(const char *path)
{
	struct timespec_ t[2] = {{1, 0}, {1, 0}};
	struct file_ f;
	fprintf(out, "change %s: access-write=%d access-delete=%d", path, ops.access(path, W_OK_), ops.access(path, DELETE_OK));
	fprintf(out, " unlink=%d rmdir=%d rename=%d link=%d symlink=%d", ops.unlink(path), ops.rmdir(path), ops.rename(path, "/new"),
		ops.link(path, "/new"), ops.symlink(path, "/new"));
	fprintf(out, " mkdir=%d mknod=%d chmod=%d chown=%d", ops.mkdir("/new", 0777), ops.mknod("/new", 0100777, 0), ops.chmod(path, 0), ops.chown(path, 1, 1));
	fprintf(out, " truncate=%d utimens=%d setcrtime=%d setchgtime=%d chflags=%d", ops.truncate(path, 0), ops.utimens(path, t),
		ops.setcrtime(path, t), ops.setchgtime(path, t), ops.chflags(path, 1));
	fprintf(out, " setxattr=%d removexattr=%d", ops.setxattr(path, "a", "b", 1, 0), ops.removexattr(path, "a"));
	for (int flags = 1; flags <= 2; flags++) {
		memset(&f, 0, sizeof f);
		f.flags = flags; /* to write; to read and write */
		fprintf(out, " open%d=%d", flags, ops.open(path, &f));
	}
	memset(&f, 0, sizeof f);
	fprintf(out, " create=%d", ops.create("/new", 0666, &f));
	memset(&f, 0, sizeof f);
	if (ops.open(path, &f) == 0) {
		fprintf(out, " write=%d ftruncate=%d", ops.write(path, "x", 1, 0, &f), ops.ftruncate(path, 0, &f));
		ops.release(path, &f);
	}
	fprintf(out, "\n");
}

static void play(const char *script)
{
	char line[4096];
	FILE *in = fopen(script, "rb");
	while (in && fgets(line, sizeof line, in)) {
		line[strcspn(line, "\r\n")] = 0;
		char *path = strchr(line, ' ');
		if (path)
			*path++ = 0;
		if (strcmp(line, "statfs") == 0)
			do_statfs();
		else if (!path)
			fprintf(out, "unknown: %s\n", line);
		else if (strcmp(line, "stat") == 0)
			do_stat(path);
		else if (strcmp(line, "path") == 0)
			do_path(path);
		else if (strcmp(line, "list") == 0)
			do_list(path);
		else if (strcmp(line, "tree") == 0)
			do_tree(path);
		else if (strcmp(line, "change") == 0)
			do_change(path);
		fflush(out);
	}
	if (in)
		fclose(in);
}

/* Where the mount is to appear: a drive as \\.\X: or X:, or a folder. */
static const char *letter(const char *point)
{
	if (strncmp(point, "\\\\.\\", 4) == 0)
		point += 4;
	return strlen(point) == 2 && point[1] == ':' ? point : NULL;
}

static const wchar_t *wide(const char *utf8)
{
	static wchar_t w[1024];
	MultiByteToWideChar(CP_UTF8, 0, utf8, -1, w, 1024);
	return w;
}

/* Wine keeps its drives where only the test can reach them: a letter is its job. */
static void appear(const char *point)
{
	if (!letter(point))
		CreateDirectoryW(wide(point), NULL);
	fprintf(out, "appear %s\n", point);
	fflush(out);
}

static void vanish(const char *point)
{
	if (!letter(point))
		RemoveDirectoryW(wide(point));
	fprintf(out, "vanish %s\n", point);
	fflush(out);
}

EXPORT int fuse_main_real(int argc, char **argv, const struct ops_ *theirs, size_t size, void *data)
{
	char log[1024];
	const char *script = getenv("VITRINE_STANDIN");
	if (!script || getenv("VITRINE_STANDIN_REFUSE"))
		return 1;
	snprintf(log, sizeof log, "%s.log", script);
	out = fopen(log, "wb");
	if (!out)
		return 1;
	for (int i = 1; i < argc; i++)
		fprintf(out, "arg %s\n", argv[i]);
	memcpy(&ops, theirs, size < sizeof ops ? size : sizeof ops);
	ended = CreateEventA(NULL, TRUE, FALSE, NULL);
	context.fuse = &context;
	context.private_data = data;
	struct conn_ conn;
	memset(&conn, 0, sizeof conn);
	conn.major = 2, conn.minor = 8, conn.capable = CAPABLE;
	context.private_data = ops.init(&conn);
	fprintf(out, "want %x\n", conn.want);
	appear(argv[1]);
	play(script);
	fprintf(out, "done\n");
	fflush(out);
	WaitForSingleObject(ended, INFINITE);
	vanish(argv[1]);
	ops.destroy(context.private_data);
	fprintf(out, "ended\n");
	fclose(out);
	return 0;
}
