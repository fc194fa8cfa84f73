;;; deconflict-lsp.el --- See what others edit in the same clone, with lsp-mode  -*- lexical-binding: t -*-

;; Author: The deconflict developers
;; URL: https://deconflict.example/deconflict
;; Version: 0.1.0
;; Keywords: tools, convenience
;; Package-Requires: ((emacs "29.1") (lsp-mode "9.0"))
;; SPDX-License-Identifier: MIT

;;; Commentary:

;; For those who use lsp-mode and not Eglot: load this file, and `lsp' or `lsp-deferred' starts `deconflict lsp' beside the
;; server that a file has, for every file in a project.  A file whose mode has no other server is served as well.

;;; Code:

(require 'lsp-mode)
(require 'project)

(defgroup deconflict-lsp nil
  "See what others edit in the same clone, with lsp-mode."
  :group 'lsp-mode)

(defcustom deconflict-lsp-command '("deconflict" "lsp")
  "The program that serves files, with its arguments."
  :type '(repeat string))

(defun deconflict-lsp--serves-p (file-name _mode)
  "Say whether FILE-NAME is in a project."
  (and file-name (project-current nil (file-name-directory file-name)) t))

(lsp-register-client
 (make-lsp-client
  :new-connection (lsp-stdio-connection (lambda () deconflict-lsp-command))
  :activation-fn #'deconflict-lsp--serves-p
  ;; It stands beside the server of the language, and in nobody's way.
  :add-on? t
  :priority -1
  :multi-root t
  :server-id 'deconflict))

(provide 'deconflict-lsp)
;;; deconflict-lsp.el ends here
