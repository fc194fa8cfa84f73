# Installs deconflict @VERSION@ for you alone: fetches the program for this machine, looks whether it arrived whole, and lets
# it set itself up.
#
#   DECONFLICT_INSTALL_DIR   put the program into this folder and change nothing else
#   DECONFLICT_DOWNLOAD      fetch from here, a URL or a folder, instead of the release's own address
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'

# In a function, so that a script that arrives by halves does nothing.
function Install-Deconflict {
    $download = if ($env:DECONFLICT_DOWNLOAD) { $env:DECONFLICT_DOWNLOAD }
    else { '@REPOSITORY@/releases/download/v@VERSION@' }
    $machine = if ($env:PROCESSOR_ARCHITEW6432) { $env:PROCESSOR_ARCHITEW6432 } else { $env:PROCESSOR_ARCHITECTURE }
    $target = switch ($machine) {
        'AMD64' { 'x86_64-pc-windows-msvc' }
        'ARM64' { 'aarch64-pc-windows-msvc' }
        default { throw "deconflict: there is no program for $machine yet. With Rust: cargo install deconflict" }
    }
    $archive = "deconflict-$target.zip"
    $scratch = Join-Path ([IO.Path]::GetTempPath()) ([Guid]::NewGuid())
    New-Item -ItemType Directory -Path $scratch | Out-Null
    try {
        foreach ($file in $archive, "$archive.sha256") {
            $to = Join-Path $scratch $file
            if ($download -match '^https?://') { Invoke-WebRequest -UseBasicParsing -Uri "$download/$file" -OutFile $to }
            else { Copy-Item (Join-Path $download $file) $to }
        }
        $expected = (Get-Content (Join-Path $scratch "$archive.sha256")).Split(' ')[0]
        $actual = (Get-FileHash -Algorithm SHA256 (Join-Path $scratch $archive)).Hash
        if ($actual -ne $expected) {
            throw "deconflict: $archive did not arrive whole, or somebody changed it. Nothing was installed; please try again."
        }
        Expand-Archive -Path (Join-Path $scratch $archive) -DestinationPath $scratch
        $program = Join-Path $scratch 'deconflict.exe'
        if ($env:DECONFLICT_INSTALL_DIR) {
            New-Item -ItemType Directory -Force -Path $env:DECONFLICT_INSTALL_DIR | Out-Null
            Copy-Item -Force $program (Join-Path $env:DECONFLICT_INSTALL_DIR 'deconflict.exe')
            Write-Host "$(& $program --version) is in $env:DECONFLICT_INSTALL_DIR. Next: deconflict setup"
        }
        else {
            & $program setup
            if ($LASTEXITCODE -ne 0) { throw "deconflict: setup ended with $LASTEXITCODE." }
        }
    }
    finally {
        Remove-Item -Recurse -Force $scratch
    }
}

Install-Deconflict
