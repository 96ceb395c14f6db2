autocmd BufRead,BufNewFile *.teg setfiletype teg
