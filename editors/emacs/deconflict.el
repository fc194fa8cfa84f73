;;; deconflict.el --- See what others edit in the same clone  -*- lexical-binding: t -*-

;; Author: The deconflict developers
;; URL: https://deconflict.example/deconflict
;; Version: 0.1.0
;; Keywords: tools, convenience
;; Package-Requires: ((emacs "29.1"))
;; SPDX-License-Identifier: MIT

;;; Commentary:

;; Load this file after your own Eglot settings, and every file in a project is served by
;; `deconflict lsp' through Eglot, all of them by one server.
;;
;; Eglot has one server for a buffer.  Where another server is installed for a major mode, the
;; program `rass' (the Python package rassumfrassum) runs both side by side, if it is installed;
;; otherwise the other server has the buffer, and you are told once.

;;; Code:

(require 'cl-lib)
(require 'eglot)
(require 'project)
(require 'seq)

(defgroup deconflict nil
  "See what others edit in the same clone."
  :group 'tools)

(defcustom deconflict-command '("deconflict" "lsp")
  "The program that serves files, with its arguments."
  :type '(repeat string))

(defvar deconflict--servers eglot-server-programs
  "What Eglot starts for which mode, without us.")

(defvar deconflict--told nil
  "The modes that are known to go without us.")

(defun deconflict--contact (mode)
  "The command line of an installed server for MODE, if there is one."
  (cl-loop
   for (modes . contact) in deconflict--servers
   for names = (if (or (symbolp modes) (keywordp (cadr modes))) (list modes) modes)
   when (seq-some (lambda (name) (provided-mode-derived-p mode (if (consp name) (car name) name))) names)
   return (let ((contact (if (functionp contact) (ignore-errors (funcall contact nil)) contact)))
            (and (consp contact)
                 (seq-every-p #'stringp contact)
                 (executable-find (car contact))
                 contact))))

(defun deconflict--free-modes ()
  "List the modes of files that no installed server is for.
Whose parent is which is unknown until it is loaded, so they are named one
by one."
  (let* ((named (mapcar (lambda (entry) (if (consp (cdr entry)) (cadr entry) (cdr entry))) auto-mode-alist))
         (modes (seq-uniq (cons 'text-mode (seq-filter #'functionp named))))
         (taken (seq-filter #'deconflict--contact modes)))
    (seq-remove (lambda (mode)
                  (seq-some (lambda (other) (provided-mode-derived-p other mode)) taken))
                modes)))

(defun deconflict--serve ()
  "Serve the file of this buffer, if it is in a project."
  (when (and buffer-file-name (project-current))
    ;; Eglot serves no buffer in Fundamental mode.
    (when (eq major-mode 'fundamental-mode)
      (text-mode))
    (let ((other (deconflict--contact major-mode)))
      (cond
       ((not other)
        (let ((modes (deconflict--free-modes)))
          (setq-local eglot-server-programs
                      `((,(if (seq-some (lambda (mode) (provided-mode-derived-p major-mode mode)) modes)
                            (cons major-mode (remq major-mode modes))
                          (list major-mode))
                       . ,deconflict-command))))
        (eglot-ensure))
       ((executable-find "rass")
        (setq-local eglot-server-programs
                    `((,major-mode . ("rass" "--" ,@other "--" ,@deconflict-command))))
        (eglot-ensure))
       ((not (memq major-mode deconflict--told))
        (push major-mode deconflict--told)
        (message "deconflict: %s has %s; install `rass' to have both" major-mode (car other)))))))

;; When it has connected, Eglot names all these modes, in many lines.
(add-to-list 'inhibit-message-regexps "\\`\\[eglot\\] Connected! Server `deconflict'")
(add-to-list 'set-message-functions #'inhibit-message)

(add-hook 'find-file-hook #'deconflict--serve)

(provide 'deconflict)
;;; deconflict.el ends here
