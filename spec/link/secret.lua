-- SPDX-License-Identifier: Apache-2.0
-- Secrets for specs that look for them in this process's memory, freed memory too: no Lua string ever holds one.
local ffi = require "ffi"

ffi.cdef [[
struct spec_iovec { void *base; size_t len; };
ssize_t process_vm_readv(int pid, const struct spec_iovec *to, unsigned long to_count,
  const struct spec_iovec *from, unsigned long from_count, unsigned long flags);
int getpid(void);
void *memmem(const void *in, size_t in_size, const void *what, size_t size);
int open(const char *path, int flags);
int creat(const char *path, unsigned mode);
ssize_t write(int fd, const void *from, size_t size);
ssize_t read(int fd, void *to, size_t size);
int close(int fd);
]]
local bytes, iovec, address = ffi.typeof "uint8_t[?]", ffi.typeof "struct spec_iovec[1]", ffi.typeof "uintptr_t"
local LARGEST = 2 ^ 30 -- beyond it lie reservations, not memory (the sanitizer's shadow)
local PIECE = 1048576

local secret = {}
local Secret = {}
Secret.__index = Secret

local function at(pointer) return tonumber(ffi.cast(address, pointer)) end

local function of(size, fill)
  local self = setmetatable({ size = size, masked = bytes(size), text = bytes(size + 1) }, Secret)
  fill(self.text)
  for i = 0, size - 1 do self.masked[i] = bit.bxor(self.text[i], 0x5a) end
  return self
end

-- 24 letters that nobody else has; `text` is a C string, until forget().
function secret.new()
  return of(24, function(text)
    for i = 0, 23 do text[i] = 97 + math.random(0, 25) end
  end)
end

-- `size` bytes of a file from `offset` on.
function secret.of_file(path, offset, size)
  return of(size, function(text)
    local fd, all = ffi.C.open(path, 0), bytes(offset + size)
    assert(fd >= 0 and ffi.C.read(fd, all, offset + size) == offset + size)
    ffi.C.close(fd)
    ffi.copy(text, all + offset, size)
    ffi.fill(all, offset + size)
  end)
end

function Secret:write(path)
  local fd = ffi.C.creat(path, 384)
  assert(fd >= 0 and ffi.C.write(fd, self.text, self.size) == self.size)
  ffi.C.close(fd)
end

function Secret:forget() ffi.fill(self.text, self.size) end

-- At how many places of the memory it stands.
function Secret:places()
  local found, needle, piece, to, from = 0, bytes(self.size), bytes(PIECE), iovec(), iovec()
  for i = 0, self.size - 1 do needle[i] = bit.bxor(self.masked[i], 0x5a) end
  local own = { { at(needle), self.size }, { at(piece), PIECE } }
  local function is_own(place)
    for _, range in ipairs(own) do
      if place >= range[1] and place < range[1] + range[2] then return true end
    end
  end
  local seen = 0 -- a range that grows while the list is read may be told again, from its beginning
  for line in io.lines "/proc/self/maps" do
    local first, last = line:match "^(%x+)%-(%x+) rw"
    first, last = math.max(tonumber(first or "0", 16), seen), tonumber(last or "0", 16)
    if last - first > LARGEST then last = first end
    seen = math.max(seen, last)
    while first < last do
      local size = math.min(PIECE, last - first)
      to[0].base, to[0].len = piece, size
      from[0].base, from[0].len = ffi.cast("void *", ffi.cast(address, first)), size
      local got = tonumber(ffi.C.process_vm_readv(ffi.C.getpid(), to, 1, from, 1, 0))
      local look = piece
      while got > 0 do
        local hit = ffi.C.memmem(look, got - (look - piece), needle, self.size)
        if hit == nil then break end
        local offset = at(hit) - at(piece)
        if not is_own(first + offset) then found = found + 1 end
        look = piece + offset + 1
      end
      first = first + math.max(size - self.size, 1)
      if size < PIECE then break end
    end
  end
  ffi.fill(needle, self.size)
  ffi.fill(piece, PIECE)
  return found
end

return secret
