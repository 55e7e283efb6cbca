-- SPDX-License-Identifier: Apache-2.0
-- Clients of a socket at a path of the file system that do what no good client does, and what a process says on its
-- standard error.
local ffi = require "ffi"

ffi.cdef [[
struct spec_sockaddr_un { unsigned short family; char path[108]; };
struct spec_pollfd { int fd; short events, revents; };
int socket(int domain, int type, int protocol);
int connect(int fd, const void *addr, unsigned len);
long send(int fd, const void *bytes, size_t len, int flags);
long recv(int fd, void *bytes, size_t len, int flags);
int shutdown(int fd, int how);
int close(int fd);
int poll(struct spec_pollfd *fds, unsigned long count, int timeout_ms);
int seteuid(unsigned user);
unsigned geteuid(void);
int dup(int fd);
int dup2(int from, int to);
int fileno(void *file);
]]
local NOSIGNAL, DONTWAIT = 0x4000, 0x40

local unix = {}

local rest = {} -- what came behind a line, by descriptor

-- A descriptor, or nil when nobody listens.
function unix.dial(path)
  local fd = ffi.C.socket(1, 1, 0)
  local at = ffi.new("struct spec_sockaddr_un", { family = 1, path = path })
  if ffi.C.connect(fd, at, ffi.sizeof(at)) ~= 0 then
    ffi.C.close(fd)
    return nil
  end
  rest[fd] = nil
  return fd
end

function unix.close(fd) ffi.C.close(fd) end

-- No more bytes to the other side.
function unix.finish(fd) ffi.C.shutdown(fd, 1) end

function unix.send(fd, bytes) return ffi.C.send(fd, bytes, #bytes, NOSIGNAL) end

-- What does not fit is not sent.
function unix.offer(fd, bytes) return ffi.C.send(fd, bytes, #bytes, NOSIGNAL + DONTWAIT) end

-- What has come is thrown away.
function unix.drain(fd)
  local buf = ffi.new "char[4096]"
  while ffi.C.recv(fd, buf, 4096, DONTWAIT) > 0 do end -- luacheck: ignore 542
end

-- How many bytes have come, at most `most` of them; they are thrown away.
function unix.take(fd, most)
  local buf = ffi.new("char[?]", most)
  return math.max(0, tonumber(ffi.C.recv(fd, buf, most, DONTWAIT)))
end

-- A line, or nil when the other side has closed; nothing for twenty seconds is an error.
function unix.receive(fd)
  local buf, text = ffi.new "char[65536]", rest[fd] or ""
  while not text:find "\n" do
    local wait = ffi.new("struct spec_pollfd[1]", { { fd = fd, events = 1 } })
    assert(ffi.C.poll(wait, 1, 20000) == 1, "silence")
    local got = tonumber(ffi.C.recv(fd, buf, 65536, 0))
    if got <= 0 then return nil end
    text = text .. ffi.string(buf, got)
  end
  local line
  line, rest[fd] = text:match "^(.-)\n(.*)"
  return line
end

function unix.is_root() return ffi.C.geteuid() == 0 end

-- fn(...) with the rights of another user; only for a process of root.
function unix.as_user(user, fn, ...)
  local before = ffi.C.geteuid()
  assert(ffi.C.seteuid(0) == 0 and ffi.C.seteuid(user) == 0)
  local ok, result = pcall(fn, ...)
  assert(ffi.C.seteuid(0) == 0 and ffi.C.seteuid(before) == 0)
  if not ok then error(result, 0) end
  return result
end

-- What is written to the standard error while fn() runs.
function unix.said_by(fn)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  io.stderr:flush()
  local kept = ffi.C.dup(2)
  ffi.C.dup2(ffi.C.fileno(file), 2)
  local ok, why = pcall(fn)
  io.stderr:flush()
  ffi.C.dup2(kept, 2)
  ffi.C.close(kept)
  file:close()
  local written = assert(io.open(path))
  local text = written:read "*a"
  written:close()
  os.remove(path)
  if not ok then error(why, 0) end
  return text
end

return unix
